//! Pages of records as a turn sees them: what is stored, with the turn's own changes over it.

use std::{collections::BTreeMap, ops::Bound};

use crate::model::{
    error::OpError,
    kind::Kind,
    record::{IndexEntry, Record},
    view::IdRange,
};

use super::{Held, Tx, hold, is_dead};

/// Records that [`Tx::each`] has in memory at once: 64 KiB each at most.
const PAGE: usize = 100;

impl Tx<'_> {
    /// Hands over every live record of a kind in byte order of their ids, a page in memory at a time.
    pub fn each<K: Kind, E: From<OpError>>(&self, mut see: impl FnMut(Held<K>) -> Result<(), E>) -> Result<(), E> {
        let mut after: Option<String> = None;
        loop {
            let page = self.scan::<K>(&IdRange::page("", after.as_deref()), PAGE)?;
            let is_last = page.len() < PAGE;
            after = page.last().map(|held| held.record.id.clone());
            page.into_iter().try_for_each(&mut see)?;
            if is_last {
                return Ok(());
            }
        }
    }

    /// Live records of a kind in byte order of their ids.
    pub fn scan<K: Kind>(&self, range: &IdRange, limit: usize) -> Result<Vec<Held<K>>, OpError> {
        self.pages::<K>(range, limit, |range| self.view.records(K::KIND, range, limit), |_| true)
    }

    /// Live records of a kind under one key of an index, in byte order of their ids.
    pub fn scan_index<K: Kind>(
        &self,
        index: &'static str,
        key: &[u8],
        range: &IdRange,
        limit: usize,
    ) -> Result<Vec<Held<K>>, OpError> {
        let wanted = IndexEntry { index, key: key.to_vec() };
        self.pages::<K>(
            range,
            limit,
            |range| self.view.index_records(&wanted, K::KIND, range, limit),
            |entries| entries.contains(&wanted),
        )
    }

    /// Reads pages until `limit` live records are found, then puts the overlay over them.
    fn pages<K: Kind>(
        &self,
        range: &IdRange,
        limit: usize,
        read: impl Fn(&IdRange) -> Result<Vec<Record>, OpError>,
        in_index: impl Fn(&[IndexEntry]) -> bool,
    ) -> Result<Vec<Held<K>>, OpError> {
        let mut found: BTreeMap<String, Record> = BTreeMap::new();
        let mut rest = range.clone();
        let mut seen_to_end = false;
        while found.len() < limit && !seen_to_end {
            let page = read(&rest)?;
            seen_to_end = page.len() < limit;
            let Some(last) = page.last().map(|record| record.id.clone()) else { break };
            rest.lower = Bound::Excluded(last);
            for record in page {
                let staged = self.known.get(&(K::KIND, record.id.clone())).is_some_and(|known| known.staged.is_some());
                if !staged && !is_dead(&record, self.cx.now_ms) {
                    found.insert(record.id.clone(), record);
                }
            }
        }
        let from = (K::KIND, String::new());
        for ((_, id), known) in self.known.range(from..).take_while(|((kind, _), _)| *kind == K::KIND) {
            // Beyond what was read there may be stored records in between, so staged ones wait their turn.
            let within = range.contains(id) && (seen_to_end || !rest.contains(id));
            if let (true, Some(record), Some(entries)) = (within, &known.record, &known.staged)
                && in_index(entries)
            {
                found.insert(id.clone(), record.clone());
            }
        }
        found.into_values().take(limit).map(hold).collect()
    }

    /// Ids of a kind in an index in order of its keys, at most `limit`, some of them of dead records. Reads what is
    /// stored: no operation needs its own changes in it.
    pub fn ordered<K: Kind>(&self, index: &'static str, limit: usize) -> Result<Vec<String>, OpError> {
        let found = self.view.index_range(index, &[], &[0xff; 9], limit)?;
        Ok(found.into_iter().filter(|found| found.kind == K::KIND).map(|found| found.id).collect())
    }
}
