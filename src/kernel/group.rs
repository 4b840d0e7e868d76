//! One group: the commands that a batch takes from the queue into one transaction, turn by turn.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::Ordering,
};

use tokio::sync::oneshot;

use crate::{
    model::{
        error::{OpError, Reason},
        index, kind, limits,
        record::Effect,
        view::{Position, ReadView},
    },
    ops::{
        operation::{Cx, Reply, Step, Wait},
        tx::Tx,
    },
    store::{Turn, Turns},
};

use super::{
    actor::{Answered, Command},
    clock::Stopwatch,
    handle::Handle,
    order::Order,
    recent,
};

/// The turns of one group, and the answers that wait for its commit.
pub(super) struct Group<'h> {
    handle: &'h Handle,
    pub(super) pending: Vec<(oneshot::Sender<Answered>, Result<Reply, OpError>)>,
    /// Whether somebody passes on what happens, and what will have happened.
    is_kept: bool,
    pub(super) applied: recent::Turns,
    pub(super) bytes: usize,
    count: usize,
    since: Stopwatch,
    pub(super) due: i64,
}

impl Turns for Group<'_> {
    fn next(&mut self, view: &dyn ReadView, position: Position) -> Option<Turn> {
        while !self.is_full() {
            let command = self.handle.mailbox.next()?;
            self.count += 1;
            if let Some(turn) = self.turn(command, view, position) {
                return Some(turn);
            }
        }
        None
    }

    fn applied(&mut self, first: u64, turn: Turn) {
        if self.is_kept {
            self.applied.push((first, turn));
        }
    }
}

impl<'h> Group<'h> {
    /// Of what waits in the queue of an instance.
    pub(super) fn of(handle: &'h Handle) -> Self {
        Self {
            handle,
            pending: Vec::new(),
            is_kept: handle.recent.is_wanted(),
            applied: Vec::new(),
            bytes: 0,
            count: 0,
            since: Stopwatch::start(),
            due: i64::MAX,
        }
    }

    fn is_full(&self) -> bool {
        self.count >= limits::GROUP_COMMANDS
            || self.bytes >= limits::GROUP_BYTES
            || (self.count > 0 && self.since.elapsed_ms() >= limits::GROUP_MS)
    }

    /// Runs one command. Its answer waits for the commit even when it is a refusal: that may rest on what an
    /// earlier turn of the group did.
    fn turn(&mut self, mut command: Command, view: &dyn ReadView, position: Position) -> Option<Turn> {
        if let Err(error) = command.order.check_access(position.access, &self.handle.id) {
            self.pending.push((command.answer, Err(error)));
            return None;
        }
        // Upkeep may have taken away what nothing named yet; from here to the commit it waits at the gate.
        command.saved.retain(|saved| self.handle.store.has_blob(&self.handle.id, &saved.blob));
        let Order { call, caller, operation, fresh, .. } = command.order;
        let cx = Cx { operation, ..self.handle.context(&caller, position, Wait::default(), fresh) };
        loop {
            let mut tx = Tx::new(view, position.head, &cx, &command.saved);
            // A fault of one operation is refused to its caller; the others of the group know nothing of it.
            let applied = catch_unwind(AssertUnwindSafe(|| call.apply(&mut tx, &cx)));
            let reply = match applied.unwrap_or_else(|_| Err(failed(operation))) {
                Ok(Step::Done(reply)) => reply,
                Ok(Step::Park { .. }) => {
                    let error =
                        OpError::invalid("wait_ms", "an operation that changes something cannot wait", operation);
                    self.pending.push((command.answer, Err(error)));
                    return None;
                }
                Err(error) => {
                    self.pending.push((command.answer, Err(error)));
                    return None;
                }
            };
            let finished = tx.finish();
            if finished.unsaved.is_empty() {
                // Before the commit: whoever finds it done can finish it, should this process die.
                if !finished.done.blanks.is_empty() {
                    if let Err(error) = self.handle.store.note_scrub(&self.handle.id) {
                        self.pending.push((command.answer, Err(error)));
                        return None;
                    }
                    self.handle.erased.store(true, Ordering::Release);
                }
                self.note(&finished.done.effects);
                self.pending.push((command.answer, Ok(reply)));
                return Some(Turn { now_ms: cx.now_ms, operation, actor: cx.actor, done: finished.done });
            }
            if !command.save_inside {
                drop(command.answer.send(Answered::Unsaved(finished.unsaved)));
                return None;
            }
            match finished
                .unsaved
                .into_iter()
                .map(|content| self.handle.save_one(content))
                .collect::<Result<Vec<_>, _>>()
            {
                Ok(saved) => command.saved.extend(saved),
                Err(error) => {
                    self.pending.push((command.answer, Err(error)));
                    return None;
                }
            }
        }
    }

    fn note(&mut self, effects: &[Effect]) {
        self.bytes += effects.iter().map(Effect::cost_bytes).sum::<usize>();
        let entered = effects.iter().flat_map(|effect| &effect.enter).filter(|entry| entry.index == kind::DUE);
        let earliest = entered.filter_map(|entry| index::to_number(&entry.key)).min();
        self.due = self.due.min(earliest.unwrap_or(i64::MAX));
    }
}

fn failed(operation: &str) -> OpError {
    OpError::Unavailable {
        reason: Reason::Stopped,
        what: format!("{operation} failed inside mindcache; nothing was changed"),
        remedy: "this should not happen: report it with the log".into(),
    }
}
