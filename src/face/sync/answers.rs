//! What a socket answers to its own client's messages when they are done.

use std::{collections::VecDeque, sync::Arc};

use tokio_tungstenite::tungstenite::Message;

use super::{
    Form,
    from_client::Subscribe,
    ring::cleared,
    sight::Sight,
    socket::Socket,
    state::Next,
    to_client::{self, Cause, ToClient, Why},
    turns::{Done, Wrote},
};

impl Socket {
    /// Answers what is done.
    pub(super) fn done(&mut self, done: Done) {
        match done {
            Done::Written { what, key, op_id, result: Ok(reply) } => {
                self.written(what, key.as_deref(), op_id, &reply.result);
            }
            Done::Written { key, op_id, result: Err(error), .. } => {
                self.send(to_client::refused(&error, key.as_deref(), op_id.as_deref()));
            }
            Done::Called { op_id, result: Ok(reply) } => {
                let head = self.seat.read(|tx, _| Ok(tx.seq())).unwrap_or_default();
                self.changed = self.changed.max(head);
                let told = ToClient::Result { op_id: &op_id, result: &reply.result };
                self.send(told.text());
            }
            Done::Called { op_id, result: Err(error) } => {
                self.send(to_client::refused(&error, None, Some(&op_id)));
            }
            Done::Proved(Ok(permission)) => {
                self.seat.lower(permission);
                self.anew(self.sight.only.clone());
                self.greet();
            }
            Done::Proved(Err(why)) => self.send(to_client::error(why, to_client::NO_PERMISSION, None)),
            Done::Pinged => {
                self.pings.push_back(self.changed);
                self.pong();
            }
            Done::Subscribed(only) => {
                let told = ToClient::Subscribed { to: &only, seq: self.cursor };
                self.send(told.text());
                self.anew(only);
            }
        }
    }

    /// Answers each `ping` when everything that was done before it has been told.
    pub(super) fn pong(&mut self) {
        let is_live = self.reading.is_none() && self.next.is_empty();
        while is_live && self.pings.pop_front_if(|changed| *changed <= self.cursor).is_some() {
            let pong = ToClient::Pong { seq: (self.form == Form::Ours).then_some(self.cursor) };
            self.send(pong.text());
        }
    }

    /// Shows everything that the client sees from now on.
    fn anew(&mut self, only: Subscribe) {
        let as_changes = self.sight.as_changes;
        self.sight = Arc::new(Sight { mode: self.seat.mode(), only, as_changes });
        self.reading = None;
        // Who is told of changes goes on where it was.
        self.next = VecDeque::from([Next::Begin(as_changes.then_some((self.cursor, None)))]);
    }

    fn written(&mut self, what: Wrote, key: Option<&str>, op_id: Option<String>, result: &serde_json::Value) {
        let number = |name: &str| result.get(name).and_then(serde_json::Value::as_u64);
        if let (Some(key), Some(gone)) = (key, result.get("gone")) {
            let text = |name: &str| gone.get(name).and_then(serde_json::Value::as_str).unwrap_or_default();
            let seq = gone.get("seq").and_then(serde_json::Value::as_u64).unwrap_or_default();
            let at = gone.get("at").and_then(serde_json::Value::as_i64).unwrap_or_default();
            if let Some(ping) = self.heard.telling(key, seq) {
                self.out.push_back(Message::Ping(ping));
            }
            self.send(to_client::deleted(key, Cause { by: text("by"), at, seq }, Why::Deleted, self.form));
            return;
        }
        let version = number("version").unwrap_or_default();
        let is = |name: &str| result.get(name) == Some(&true.into());
        let changed = match what {
            Wrote::Set => is("changed"),
            Wrote::Delete => is("deleted"),
            Wrote::Clear => number("deleted") > Some(0),
        } && !is("replayed");
        if changed {
            self.changed = self.changed.max(version);
        }
        // Where nothing was to be done nobody is told but who asked.
        let now_ms = || self.seat.read(|_, cx| Ok(cx.now_ms)).unwrap_or_default();
        let cause = || Cause { by: &self.seat.caller().principal.id, at: now_ms(), seq: version };
        let nothing = match (what, key) {
            _ if changed || self.form == Form::Ours => None,
            (Wrote::Delete, Some(key)) => Some(to_client::deleted(key, cause(), Why::Deleted, self.form)),
            (Wrote::Clear, _) => Some(cleared(cause(), &[], self.form)),
            _ => None,
        };
        if let Some(nothing) = nothing {
            self.send(nothing);
        }
        if let Some(op_id) = op_id {
            let ack = ToClient::Ack { op_id: &op_id, key, version, seq: version, changed }.text();
            self.send(ack);
            if changed && version > self.cursor {
                self.own.insert(version, op_id);
            }
        }
    }
}
