//! The queue of an instance and the batch that empties it: one transaction for everything that waits.
//!
//! It takes what is there and never waits for more: the flush of the previous group is the batching window.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use tokio::sync::oneshot;

use crate::{
    model::{error::OpError, limits, value::Content},
    ops::{operation::Reply, tx::SavedBlob},
    store::Instance,
};

use super::{group::Group, handle::Handle, order::Order, stopped};

/// What a turn answers.
pub(super) enum Answered {
    Reply(Result<Reply, OpError>),
    /// Large values to save first; then the order is to be queued again with them.
    Unsaved(Vec<Content>),
}

const WAITING: u8 = 0;
const STARTED: u8 = 1;
const ABANDONED: u8 = 2;

/// An order in the queue.
pub(super) struct Command {
    pub(super) order: Order,
    pub(super) saved: Vec<SavedBlob>,
    /// Save large values inside the turn: somebody else changed the value while they were being saved.
    pub(super) save_inside: bool,
    state: Arc<AtomicU8>,
    pub(super) answer: oneshot::Sender<Answered>,
}

/// The queue, and the writer while no batch runs.
#[derive(Default)]
pub(super) struct Mailbox {
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    commands: VecDeque<Command>,
    /// Of the commands together.
    bytes: usize,
    is_running: bool,
    writer: Option<Box<dyn Instance>>,
}

impl Queue {
    fn is_full(&self) -> bool {
        self.commands.len() >= limits::QUEUE || self.bytes >= limits::QUEUE_BYTES
    }

    fn pop(&mut self) -> Option<Command> {
        let command = self.commands.pop_front()?;
        self.bytes -= command.order.bytes;
        Some(command)
    }

    fn take_all(&mut self) -> VecDeque<Command> {
        self.bytes = 0;
        std::mem::take(&mut self.commands)
    }

    /// What nobody waits for any more must not fill the memory while a lock is held elsewhere.
    fn drop_abandoned(&mut self) {
        self.commands.retain(|command| command.state.load(Ordering::Acquire) != ABANDONED);
        self.bytes = self.commands.iter().map(|command| command.order.bytes).sum();
    }
}

impl Mailbox {
    /// Whether a batch is running.
    pub(super) fn is_running(&self) -> bool {
        self.lock().is_running
    }

    /// Whether a batch is running, or the writer is open for the next one.
    pub(super) fn is_writing(&self) -> bool {
        let queue = self.lock();
        queue.is_running || queue.writer.is_some()
    }

    /// The next command that somebody waits for, which is begun with that.
    pub(super) fn next(&self) -> Option<Command> {
        loop {
            let command = self.lock().pop()?;
            let claimed = command.state.compare_exchange(WAITING, STARTED, Ordering::AcqRel, Ordering::Acquire);
            if claimed.is_ok() && !command.answer.is_closed() {
                return Some(command);
            }
        }
    }

    /// Takes the writer, if there is one. Nothing while a batch is running: then it stays where it is.
    pub(super) fn take_idle(&self) -> Option<Vec<Box<dyn Instance>>> {
        let mut queue = self.lock();
        if queue.is_running { None } else { Some(queue.writer.take().into_iter().collect()) }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Queue> {
        // Each change of the queue is a single step, so it is whole even if a holder panicked.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Handle {
    /// Queues a change and answers when it is durable.
    pub(super) async fn write(self: &Arc<Self>, order: Order) -> Result<Reply, OpError> {
        let mut saved: Vec<SavedBlob> = Vec::new();
        // Large values are hashed and written here, off the writer. If the key changed meanwhile, the third
        // run saves inside its turn, so that writers of one large key cannot starve each other.
        let mut rounds = 0;
        loop {
            match self.submit(order.clone(), saved.clone(), rounds >= 2).await? {
                Answered::Reply(reply) => return reply,
                Answered::Unsaved(contents) => saved = self.save(contents).await?,
            }
            rounds += 1;
        }
    }

    async fn save(self: &Arc<Self>, contents: Vec<Content>) -> Result<Vec<SavedBlob>, OpError> {
        let this = Arc::clone(self);
        let saving =
            tokio::task::spawn_blocking(move || contents.into_iter().map(|content| this.save_one(content)).collect());
        saving.await.map_err(|_| stopped())?
    }

    pub(super) fn save_one(&self, content: Content) -> Result<SavedBlob, OpError> {
        let blob = self.store.save_blob(&self.id, &content)?;
        Ok(SavedBlob { content: Arc::new(content), blob })
    }

    async fn submit(
        self: &Arc<Self>,
        order: Order,
        saved: Vec<SavedBlob>,
        save_inside: bool,
    ) -> Result<Answered, OpError> {
        let state = Arc::new(AtomicU8::new(WAITING));
        let (answer, mut answered) = oneshot::channel();
        let command = Command { order, saved, save_inside, state: Arc::clone(&state), answer };
        if self.enqueue(command)? {
            let this = Arc::clone(self);
            drop(tokio::task::spawn_blocking(move || this.run()));
        }
        let patience = Duration::from_millis(limits::GATE_WAIT_MS);
        let result = match tokio::time::timeout(patience, &mut answered).await {
            Ok(result) => result,
            // Not begun: it is taken back, and nothing has changed. Begun: its outcome is worth waiting for.
            Err(_) if state.compare_exchange(WAITING, ABANDONED, Ordering::AcqRel, Ordering::Acquire).is_ok() => {
                self.mailbox.lock().drop_abandoned();
                return Err(self.busy());
            }
            Err(_) => answered.await,
        };
        result.map_err(|_| stopped())
    }

    /// Whether a batch must be started.
    fn enqueue(&self, command: Command) -> Result<bool, OpError> {
        let mut queue = self.mailbox.lock();
        if queue.is_full() {
            let waiting = queue.commands.len();
            return Err(OpError::waiting(format!("instance {}", self.id), waiting));
        }
        queue.bytes += command.order.bytes;
        queue.commands.push_back(command);
        Ok(!std::mem::replace(&mut queue.is_running, true))
    }

    /// Empties the queue, group by group.
    fn run(&self) {
        self.touch();
        let _idle = IdleAgain(&self.mailbox);
        let mut writer = self.mailbox.lock().writer.take();
        loop {
            let finished = match writer.take().map_or_else(|| self.open_writer(), Ok) {
                Ok(mut open) => {
                    let succeeded = self.group(open.as_mut());
                    // After an error the file is opened anew: whatever was wrong with the connection is gone.
                    writer = succeeded.then_some(open);
                    self.finished(&mut writer)
                }
                Err(error) => {
                    self.refuse_all(&error);
                    self.finished(&mut writer)
                }
            };
            if finished {
                return;
            }
        }
    }

    fn open_writer(&self) -> Result<Box<dyn Instance>, OpError> {
        let writer = self.store.open(&self.id)?;
        self.opened(true);
        Ok(writer)
    }

    /// Puts the writer back if nothing is waiting.
    fn finished(&self, writer: &mut Option<Box<dyn Instance>>) -> bool {
        let mut queue = self.mailbox.lock();
        if !queue.commands.is_empty() {
            return false;
        }
        queue.writer = writer.take();
        queue.is_running = false;
        true
    }

    fn group(&self, writer: &mut dyn Instance) -> bool {
        let mut turns = Group::of(self);
        let result = writer.group(&mut turns);
        let Group { pending, applied, due, bytes, .. } = turns;
        match result {
            Ok(committed) => {
                if committed.changes > 0 {
                    self.stats.record(committed.changes);
                }
                if self.recent.is_wanted() {
                    self.recent.keep(applied, committed);
                }
                if committed.changes > 0 {
                    // First: what is passed on to who gets an answer can go out with it.
                    self.announce(committed.head);
                }
                for (answer, reply) in pending {
                    // Somebody who has gone does not mind.
                    drop(answer.send(Answered::Reply(reply)));
                }
                if committed.changes > 0 {
                    self.note_commit(committed.changes, bytes);
                    self.due.send_if_modified(|earliest| std::mem::replace(earliest, due.min(*earliest)) > due);
                }
                true
            }
            Err(error) => {
                tracing::error!(%error, instance = %self.id, "a group of changes failed");
                if pending.is_empty() {
                    self.refuse_all(&error);
                }
                for (answer, _) in pending {
                    drop(answer.send(Answered::Reply(Err(error.clone()))));
                }
                false
            }
        }
    }

    fn refuse_all(&self, error: &OpError) {
        let commands = self.mailbox.lock().take_all();
        for command in commands {
            drop(command.answer.send(Answered::Reply(Err(error.clone()))));
        }
    }
}

/// If a turn panics, the writer goes with it and the next order starts a new batch.
struct IdleAgain<'m>(&'m Mailbox);

impl Drop for IdleAgain<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let mut queue = self.0.lock();
            queue.is_running = false;
            drop(queue.take_all());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_full_by_its_bytes_too() {
        let of = |bytes| Queue { bytes, ..Queue::default() }.is_full();
        assert_eq!([of(limits::QUEUE_BYTES - 1), of(limits::QUEUE_BYTES)], [false, true]);
    }
}
