//! What keeps a store well over time. Every process that lives on closes its idle files; one of them, the holder of
//! the store's duty lock, does the rest for all. What fails is logged and tried again, never fatal.

mod care;
mod index;
mod scrub;
mod visit;

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use tokio::task::JoinHandle;

use crate::{
    model::{
        error::{OpError, Reason},
        instance::{Instance, InstanceId},
        kind::Kind as _,
        limits,
        view::IdRange,
    },
    store::{Watch, upkeep::Duty},
};

use super::{Kernel, clock::pause, stopped};

pub use care::Care;

/// How often each instance is looked at although nothing was written to it: time alone takes rows out of bounds.
const ALL_EVERY_MS: i64 = 6 * 3600 * 1000;
/// How many of those are looked at between two pauses.
const ALL_SLICE: usize = 200;
/// How often one that is written to is looked through for values that nothing names and for its size.
const THOROUGH_EVERY_MS: i64 = 3600 * 1000;
/// How long one visit may hold up the others: it waits for whoever holds the gate of its instance.
const VISIT: Duration = Duration::from_secs(5);

/// What the holder of the duties knows.
pub(super) struct Duties {
    duty: Arc<dyn Duty>,
    watch: Box<dyn Watch>,
    /// All instances, as the catalog had them at this seq.
    ids: Vec<InstanceId>,
    as_of: Option<u64>,
    /// To be visited although nothing was written to them, and when all are to be so again.
    rest: VecDeque<InstanceId>,
    all_at_ms: i64,
    /// To be visited: written to, or there was more to do, or the WAL was not idle for long enough.
    again: BTreeSet<InstanceId>,
    /// Visits that wait at a gate.
    waiting: Vec<(InstanceId, JoinHandle<Result<bool, OpError>>)>,
    /// When each instance was looked through.
    thorough: HashMap<InstanceId, i64>,
}

impl Duties {
    fn new(duty: Arc<dyn Duty>, watch: Box<dyn Watch>) -> Self {
        Self {
            duty,
            watch,
            ids: vec![InstanceId::catalog()],
            as_of: None,
            rest: VecDeque::new(),
            all_at_ms: i64::MIN,
            again: BTreeSet::new(),
            waiting: Vec::new(),
            thorough: HashMap::new(),
        }
    }

    /// Notes which instances were written to.
    fn note_moved(&mut self) {
        let moved = self.watch.moved(&self.ids);
        self.again.extend(self.ids.iter().zip(moved).filter(|(_, moved)| moved.is_some()).map(|(id, _)| id.clone()));
    }

    /// The instances to visit now: those that were noted, and the next of all.
    fn take_due(&mut self) -> BTreeSet<InstanceId> {
        let slice = self.rest.len().min(ALL_SLICE);
        let mut due = std::mem::take(&mut self.again);
        due.extend(self.rest.drain(..slice));
        due
    }

    /// Whether a visit to an instance still waits at its gate.
    fn is_waiting(&mut self, id: &InstanceId) -> bool {
        self.waiting.retain(|(_, visit)| !visit.is_finished());
        self.waiting.iter().any(|(waiting, _)| waiting == id)
    }

    /// Whether it is time to look an instance through; notes that it is done.
    fn is_thorough(&mut self, id: &InstanceId, now_ms: i64) -> bool {
        let is_due = self.thorough.get(id).is_none_or(|at| now_ms.saturating_sub(*at) >= THOROUGH_EVERY_MS);
        if is_due {
            self.thorough.insert(id.clone(), now_ms);
        }
        is_due
    }
}

impl Kernel {
    /// Keeps the store well, for as long as this process lives.
    pub fn keep_well(&self) {
        let this = self.this.clone();
        let every = self.care.every;
        // Processes that were started together do not come together.
        let first = every.mul_f64(1.0 + f64::from(std::process::id() % 100) / 200.0);
        drop(tokio::spawn(async move {
            let mut duties = None;
            let mut failed = None;
            pause(first).await;
            while let Some(kernel) = this.upgrade() {
                kernel.close_idle().await;
                let error = kernel.round(&mut duties).await.err();
                if let Some(error) = &error
                    && failed.as_ref() != Some(error)
                {
                    // Once, not every round.
                    tracing::warn!(%error, "the store's upkeep is not done; it is tried again");
                }
                failed = error;
                drop(kernel);
                pause(every).await;
            }
        }));
    }

    async fn close_idle(&self) {
        let (files, idle) = (Arc::clone(&self.files), self.care.idle);
        let idle_ms = u64::try_from(idle.as_millis()).unwrap_or(u64::MAX);
        if tokio::task::spawn_blocking(move || files.close_idle(idle_ms)).await.is_err() {
            tracing::error!("closing idle files failed inside mindcache");
        }
    }

    /// One round of the duties, if they are this process's.
    pub(super) async fn round(&self, held: &mut Option<Duties>) -> Result<(), OpError> {
        if held.is_none() {
            let Some(duty) = self.store.duty()? else { return Ok(()) };
            *held = Some(Duties::new(duty.into(), self.store.watch()?));
        }
        let Some(duties) = held else { return Ok(()) };
        let now_ms = self.clock.wall_ms();
        duties.note_moved();
        // Not each time: the catalog's files are to be closed too.
        if duties.as_of.is_none() || duties.again.contains(&InstanceId::catalog()) {
            self.list(duties)?;
        }
        for id in duties.duty.to_scrub()? {
            if let Err(error) = self.scrub(&id).await {
                tracing::warn!(%error, instance = %id, "what was purged is not all gone yet");
            }
        }
        let is_time_for_all = now_ms >= duties.all_at_ms;
        if is_time_for_all {
            duties.all_at_ms = now_ms.saturating_add(ALL_EVERY_MS);
            duties.rest = duties.ids.iter().cloned().collect();
            while self.forget_instances().await? > 0 {}
            self.sweep(Arc::clone(&duties.duty), now_ms).await?;
        }
        for id in duties.take_due() {
            if duties.is_waiting(&id) {
                duties.again.insert(id);
            } else {
                self.visit(duties, id, now_ms).await;
            }
        }
        Ok(())
    }

    /// Brings the list of instances up to date.
    fn list(&self, duties: &mut Duties) -> Result<(), OpError> {
        let catalog = self.handle(&InstanceId::catalog())?;
        let known = duties.as_of;
        let found = catalog.peek(|view, position| {
            if known == Some(position.head) {
                return Ok(None);
            }
            let mut ids = vec![InstanceId::catalog()];
            let mut range = IdRange::all();
            loop {
                let page = view.records(Instance::KIND, &range, limits::PAGE as usize)?;
                let Some(last) = page.last() else { return Ok(Some((position.head, ids))) };
                range = IdRange::page("", Some(&last.id));
                ids.extend(page.iter().filter_map(|record| InstanceId::parse(&record.id)));
            }
        })??;
        if let Some((head, ids)) = found {
            (duties.as_of, duties.ids) = (Some(head), ids);
        }
        Ok(())
    }

    /// Removes what creations and removals that did not end have left.
    async fn sweep(&self, duty: Arc<dyn Duty>, now_ms: i64) -> Result<(), OpError> {
        let this = self.this.clone();
        // Asked anew for each: an instance may have been made since the list was read.
        let is_wanted = move |id: &InstanceId| this.upgrade().ok_or_else(stopped)?.is_listed(id);
        let swept = tokio::task::spawn_blocking(move || duty.sweep(now_ms, &is_wanted)).await;
        swept.map_err(|_| stopped())?.map(drop)
    }

    async fn visit(&self, duties: &mut Duties, id: InstanceId, now_ms: i64) {
        let is_thorough = duties.is_thorough(&id, now_ms);
        let (store, keep, place) = (Arc::clone(&self.store), self.care.retention, id.clone());
        let mut working =
            tokio::task::spawn_blocking(move || visit::visit(store.as_ref(), &place, &keep, now_ms, is_thorough));
        match tokio::time::timeout(VISIT, &mut working).await {
            Ok(Ok(Ok(is_done))) => match self.index(&id, is_thorough).await {
                Ok(true) if is_done => {}
                Ok(_) => drop(duties.again.insert(id)),
                Err(error) => {
                    tracing::warn!(%error, instance = %id, "the search index of an instance is behind");
                    duties.again.insert(id);
                }
            },
            Ok(Ok(Err(error))) => {
                tracing::warn!(%error, instance = %id, "upkeep of an instance failed");
                if matches!(error, OpError::Unavailable { reason: Reason::Busy, .. }) {
                    duties.again.insert(id);
                }
            }
            Ok(Err(_)) => tracing::error!(instance = %id, "upkeep of an instance failed inside mindcache"),
            Err(_) => {
                tracing::warn!(instance = %id, "upkeep of an instance waits for the process that holds it");
                duties.again.insert(id.clone());
                duties.waiting.push((id, working));
            }
        }
    }
}
