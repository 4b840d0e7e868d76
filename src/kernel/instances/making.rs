//! New instances: empty ones, clones, snapshots.
//!
//! The folder is built and synced first, then the catalog's record is committed. A crash in between leaves a folder that
//! nothing names: no list shows it, and upkeep sweeps it away. The other way round there would be an instance without
//! its data.

use std::{future::Future, sync::Arc};

use uuid::Uuid;

use crate::{
    model::{
        error::OpError,
        instance::InstanceId,
        key::Key,
        record::Done,
        value::{BlobRef, Stored},
        view::{Access, Position, ReadView},
    },
    ops::{
        access::{
            joining::{self, EnterOwn, Join},
            projects::{self, Begin},
        },
        instances::{
            Create, InstanceView,
            arguments::NewName,
            catalog::{Enter, Naming, Where, free},
            copies::{Duplicate, Filter, Snapshot},
        },
        operation::{Call, Cx, Operation as _, Reply, Wait},
        procedure::Arguments as _,
        tx::{Held, Tx},
    },
    store::{Turn, Turns},
};

use super::super::{Caller, Kernel, handle::Handle, order::Fresh, stopped};

/// Keys of a filtered clone that are in memory at once: 64 KiB each at most.
const PAGE: usize = 100;

/// An instance on its way into the catalog.
struct New<C> {
    id: InstanceId,
    operation: &'static str,
    entry: C,
}

impl Kernel {
    /// An empty instance.
    pub(super) async fn create_instance(&self, caller: &Caller, create: Create) -> Result<Reply, OpError> {
        let (name, project) = (Naming::Exactly(create.name), Where::Meant(create.project));
        let entry = Enter { name, project, parent: None, note: None, snapshot: false };
        self.make_empty(caller, entry).await
    }

    async fn make_empty(&self, caller: &Caller, entry: Enter) -> Result<Reply, OpError> {
        // Said before the work; what counts is said again by the turn that enters it. The catalog comes first: instances
        // without one would look like a store that has lost it.
        if let Naming::Exactly(name) = &entry.name {
            self.check_free(caller, name, &entry.project)?;
        }
        let (store, id) = (Arc::clone(&self.store), fresh());
        let making = id.clone();
        let made = blocking(move || store.create(&making).map(drop));
        self.make(caller, New { id, operation: Create::NAME, entry }, made).await
    }

    /// A project with its first instance.
    pub(super) async fn begin_project(&self, caller: &Caller, begin: Begin) -> Result<Reply, OpError> {
        let catalog = self.handle(&InstanceId::catalog())?;
        catalog.read(caller, Wait::default(), |tx, cx| begin.project.check(tx, cx).map(drop))?;
        let (store, id) = (Arc::clone(&self.store), fresh());
        let making = id.clone();
        let made = blocking(move || store.create(&making).map(drop));
        self.make(caller, New { id, operation: projects::Create::NAME, entry: begin }, made).await
    }

    /// An empty instance that is, as in the store that it comes from, a copy of another or was taken for something.
    pub async fn recreate(
        &self,
        caller: &Caller,
        name: NewName,
        parent: Option<InstanceId>,
        note: Option<String>,
    ) -> Result<(), OpError> {
        let (name, project) = (Naming::Exactly(name), Where::Meant(None));
        self.make_empty(caller, Enter { name, project, parent, note, snapshot: false }).await.map(drop)
    }

    /// A copy of an instance, whole or only some of its keys.
    pub(super) async fn clone_instance(&self, caller: &Caller, clone: Duplicate) -> Result<Reply, OpError> {
        let (source, _) = self.named(caller, &clone.instance)?;
        let project = Where::Meant(clone.project.clone());
        self.check_free(caller, &clone.name, &project)?;
        let (from, id) = (self.handle(&source)?, fresh());
        let (filter, making, by) = (clone.filter(), id.clone(), caller.clone());
        let made = blocking(move || match filter {
            None => from.store.copy(&from.id, &making, Access::Open),
            Some(filter) => copy_some(&from, &making, &by, &filter),
        });
        let name = Naming::Exactly(clone.name);
        let entry = Enter { name, project, parent: Some(source), note: None, snapshot: false };
        self.make(caller, New { id, operation: Duplicate::NAME, entry }, made).await
    }

    /// A copy that stays as it is.
    pub(super) async fn take_snapshot(&self, caller: &Caller, snapshot: Snapshot) -> Result<Reply, OpError> {
        let (source, instance) = self.named(caller, &snapshot.instance)?;
        let (from, id) = (self.handle(&source)?, fresh());
        let making = id.clone();
        let made = blocking(move || from.store.copy(&from.id, &making, Access::ReadOnly));
        let note = snapshot.note.map(|note| note.as_str().to_owned()).filter(|note| !note.is_empty());
        let (name, project) = (Naming::SnapshotOf(instance.name), Where::Beside(instance.project));
        let entry = Enter { name, project, parent: Some(source), note, snapshot: true };
        self.make(caller, New { id, operation: Snapshot::NAME, entry }, made).await
    }

    /// What somebody gets who enters a project. Their own instance has the keys of the template as they are now, and
    /// nothing of its history.
    pub(super) async fn join_project(&self, caller: &Caller, join: Join) -> Result<Reply, OpError> {
        let catalog = self.handle(&InstanceId::catalog())?;
        loop {
            let template = match catalog.read(caller, Wait::default(), |tx, cx| joining::look(tx, cx, &join))? {
                joining::Entry::There(held) => return Reply::of(&InstanceView::listed(&held)),
                joining::Entry::Make(template) => template,
            };
            let (from, id) = (self.handle(&template)?, fresh());
            let (making, by) = (id.clone(), caller.clone());
            let made = blocking(move || copy_some(&from, &making, &by, &Filter::all()));
            let entry = EnterOwn(join.clone());
            match self.make(caller, New { id, operation: Join::NAME, entry }, made).await {
                // They came in twice at once, and the other was first.
                Err(OpError::AlreadyExists { .. }) => {}
                other => return other,
            }
        }
    }

    /// Enters an instance when its folder is made. One that cannot be entered leaves no folder.
    async fn make<C: Call + 'static>(
        &self,
        caller: &Caller,
        New { id, operation, entry }: New<C>,
        made: impl Future<Output = Result<(), OpError>>,
    ) -> Result<Reply, OpError> {
        let reply = match made.await {
            Ok(()) => self.enter(caller, operation, entry, Some(id.clone())).await,
            Err(error) => return Err(self.unmake(id, error).await),
        };
        match reply {
            // When the outcome is not known the record may be there, and then it must find its folder.
            Err(error) if !matches!(error, OpError::Unavailable { .. }) => Err(self.unmake(id, error).await),
            other => other,
        }
    }

    /// Takes the folder of an instance away that came to nothing.
    async fn unmake(&self, id: InstanceId, error: OpError) -> OpError {
        let store = Arc::clone(&self.store);
        if let Err(error) = blocking(move || store.remove(&id)).await {
            tracing::warn!(%error, "the folder of a refused instance stays until the next sweep");
        }
        error
    }

    /// Refuses a name that is taken, and a project that the caller may not change.
    fn check_free(&self, caller: &Caller, name: &NewName, project: &Where) -> Result<(), OpError> {
        let catalog = self.handle(&InstanceId::catalog())?;
        catalog.read(caller, Wait::default(), |tx, cx| {
            let project = project.find(tx, cx)?;
            free(tx, &project, name.as_str()).map(drop)
        })
    }
}

fn fresh() -> InstanceId {
    InstanceId::from_uuid(Uuid::new_v4())
}

/// Work on files, off the threads that answer others.
pub(in super::super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, OpError> + Send + 'static,
) -> Result<T, OpError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| stopped())?
}

/// Makes an instance that holds the wanted keys of another at one moment, and nothing else in any of its files: they
/// are written anew, so no row of the log and no free page knows of the others.
fn copy_some(from: &Handle, to: &InstanceId, caller: &Caller, filter: &Filter) -> Result<(), OpError> {
    from.store.create(to)?;
    let mut target = from.store.open(to)?;
    let mut copied = Err(stopped());
    from.store.reader(&from.id)?.read(&mut |view| {
        copied = view.position().and_then(|position| {
            let cx = from.context(caller, position, Wait::default(), Fresh::default());
            let mut pages = Pages {
                from,
                to,
                source: Tx::new(view, position.head, &cx, &[]),
                cx: &cx,
                filter,
                after: None,
                failed: None,
            };
            // One group, so one commit: no part of the copy is ever there without the rest.
            target.group(&mut pages)?;
            pages.failed.map_or(Ok(()), Err)
        });
    })?;
    copied
}

/// The turns that write a filtered clone, a page of keys each.
struct Pages<'p> {
    from: &'p Handle,
    to: &'p InstanceId,
    source: Tx<'p>,
    cx: &'p Cx,
    filter: &'p Filter,
    after: Option<String>,
    failed: Option<OpError>,
}

impl Pages<'_> {
    fn page(&mut self, view: &dyn ReadView, position: Position) -> Result<Option<Done>, OpError> {
        let page = self.filter.page(&self.source, self.after.as_deref(), PAGE)?;
        let Some(last) = page.last() else { return Ok(None) };
        self.after = Some(last.record.id.clone());
        let large: Vec<BlobRef> = page.iter().filter_map(large).collect();
        self.from.store.share_blobs(&self.from.id, self.to, &large)?;
        let mut tx = Tx::new(view, position.head, self.cx, &[]);
        for held in page {
            tx.put(&held.record.id, &held.content, held.record.expires_at)?;
        }
        Ok(Some(tx.finish().done))
    }
}

fn large(held: &Held<Key>) -> Option<BlobRef> {
    match &held.content.value {
        Stored::Blob(blob) => Some(blob.clone()),
        Stored::Inline(_) | Stored::Gone => None,
    }
}

impl Turns for Pages<'_> {
    fn next(&mut self, view: &dyn ReadView, position: Position) -> Option<Turn> {
        match self.page(view, position) {
            Ok(done) => done.map(|done| Turn {
                now_ms: self.cx.now_ms,
                operation: Duplicate::NAME,
                actor: self.cx.actor.clone(),
                done,
            }),
            Err(error) => {
                // What was written so far is committed, in a folder that is taken away again.
                self.failed = Some(error);
                None
            }
        }
    }
}
