//! An instance in memory, as a turn reads it: keys and nothing else.

use std::{collections::BTreeMap, ops::Range};

use jiff::tz::TimeZone;
use mindcache::{
    model::{
        actor::Actor,
        error::OpError,
        key::{Key, KeyType},
        kind::Kind as _,
        permission::{Mode, Principal, PrincipalKind},
        record::{Change, IndexEntry, Record},
        value::{BlobRef, Stored},
        view::{Found, IdRange, Position, ReadView, Selection, Touched, Window},
    },
    ops::{
        keys::write::Write,
        operation::{Cx, Operation as _, Wait},
    },
};

/// The keys by name.
pub(crate) struct Instance(BTreeMap<String, Record>);

impl Instance {
    /// So many keys of 200 characters, `k000000` first.
    pub(crate) fn with_keys(count: u64) -> Self {
        let key = Key::new(KeyType::Text, Stored::Inline("x".repeat(200)));
        let body = serde_json::to_string(&key).unwrap();
        let record = |number: u64| {
            let id = format!("k{number:06}");
            let actor = person().actor;
            let (version, body) = (number + 1, body.clone());
            (
                id.clone(),
                Record { id, version, created_at: 0, updated_at: 0, updated_by: actor, expires_at: None, body },
            )
        };
        Self((0..count).map(record).collect())
    }
}

/// A turn of this machine's user, who may do everything.
pub(crate) fn person() -> Cx {
    Cx {
        now_ms: 1_795_254_225_120,
        mode: Mode::Edit,
        existing_only: false,
        operation: Write::NAME,
        principal: Principal::local(PrincipalKind::Human),
        actor: Actor {
            principal: "local".into(),
            kind: PrincipalKind::Human,
            client: "bench".into(),
            run: String::new(),
            from: None,
        },
        wait: Wait::default(),
        zone: TimeZone::UTC,
        fresh_id: None,
        chance: None,
    }
}

impl ReadView for Instance {
    fn position(&self) -> Result<Position, OpError> {
        Ok(Position { head: self.0.len() as u64, ..Position::default() })
    }

    fn record(&self, kind: &str, id: &str) -> Result<Option<Record>, OpError> {
        Ok(self.0.get(id).filter(|_| kind == Key::KIND).cloned())
    }

    fn records(&self, kind: &str, range: &IdRange, limit: usize) -> Result<Vec<Record>, OpError> {
        let records = self.0.values().filter(|record| kind == Key::KIND && range.contains(&record.id));
        Ok(records.take(limit).cloned().collect())
    }

    fn index_records(&self, _: &IndexEntry, _: &str, _: &IdRange, _: usize) -> Result<Vec<Record>, OpError> {
        Ok(Vec::new())
    }

    fn index_range(&self, _: &str, _: &[u8], _: &[u8], _: usize) -> Result<Vec<Found>, OpError> {
        Ok(Vec::new())
    }

    fn window(&self, kind: &str, _: &Selection, start: u64, limit: usize) -> Result<Window, OpError> {
        let from = usize::try_from(start).unwrap_or(usize::MAX);
        let records = self.0.values().filter(|_| kind == Key::KIND).skip(from).take(limit).cloned().collect();
        Ok(Window { records, total: self.0.len() as u64 })
    }

    fn rank(&self, _: &str, _: &Selection, id: &str) -> Result<u64, OpError> {
        Ok(self.0.keys().take_while(|key| key.as_str() < id).count() as u64)
    }

    fn counts(&self, _: &str, _: &str, _: usize) -> Result<Vec<(Vec<u8>, u64)>, OpError> {
        Ok(Vec::new())
    }

    fn count(&self, _: &str) -> Result<u64, OpError> {
        Ok(self.0.len() as u64)
    }

    fn last_change(&self, _: &str, id: &str) -> Result<Option<u64>, OpError> {
        Ok(self.0.get(id).map(|record| record.version))
    }

    fn change(&self, _: u64) -> Result<Option<Change>, OpError> {
        Ok(None)
    }

    fn changes(&self, _: u64, _: usize) -> Result<Vec<Change>, OpError> {
        Ok(Vec::new())
    }

    fn touched(&self, _: u64, _: usize) -> Result<Vec<Touched>, OpError> {
        Ok(Vec::new())
    }

    fn blob(&self, _: &BlobRef, _: Range<u64>) -> Result<Vec<u8>, OpError> {
        Ok(Vec::new())
    }
}
