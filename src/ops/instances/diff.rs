//! `instance_diff`: which keys two instances do not have alike.

use std::{cmp::Ordering, iter::Peekable, vec::IntoIter};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{error::OpError, key::Key, limits};

use super::{arguments::Which, meta};
use crate::ops::{
    operation::{EffectClass, OpMeta, Report},
    procedure,
    tx::Held,
};

/// Compare the keys of two instances by value and attributes, not by version or time: what was added, removed and
/// changed on the way from one to the other. At most 1,000 names each; truncated says that there are more.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Diff {
    /// Name or id of the instance to start from
    pub from: Which,
    /// Name or id of the one to compare with it
    pub to: Which,
}

impl procedure::Arguments for Diff {
    const NAME: &'static str = "instance_diff";
    const META: OpMeta = meta("Compare instances", EffectClass::Read);
    type Out = Difference;
}

/// The names of keys that differ.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct Difference {
    /// Those that only the second has.
    pub added: Vec<String>,
    /// Those that only the first has.
    pub removed: Vec<String>,
    /// Those that are not the same in both.
    pub changed: Vec<String>,
    /// There are more than are named.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}

impl Report for Difference {
    fn outcome(&self) -> String {
        let more = if self.truncated { " There are more than are named." } else { "" };
        format!(
            "Keys added: {}, removed: {}, changed: {}.{more}",
            self.added.len(),
            self.removed.len(),
            self.changed.len()
        )
    }
}

/// The keys of an instance in order of their names, fetched a page at a time: nothing is held open in between.
pub struct Walk<F> {
    fetch: F,
    page: Peekable<IntoIter<Held<Key>>>,
    after: Option<String>,
    is_last: bool,
}

impl<F: FnMut(Option<&str>) -> Result<Vec<Held<Key>>, OpError>> Walk<F> {
    /// A walk from the first name. `fetch` gives the next keys after a name, and none at the end.
    pub fn new(fetch: F) -> Self {
        Self { fetch, page: Vec::new().into_iter().peekable(), after: None, is_last: false }
    }

    fn fill(&mut self) -> Result<(), OpError> {
        if self.page.peek().is_none() && !self.is_last {
            let page = (self.fetch)(self.after.as_deref())?;
            self.is_last = page.is_empty();
            self.after = page.last().map(|held| held.record.id.clone());
            self.page = page.into_iter().peekable();
        }
        Ok(())
    }
}

/// Walks along two instances at once.
pub fn compare<A, B>(mut from: Walk<A>, mut to: Walk<B>) -> Result<Difference, OpError>
where
    A: FnMut(Option<&str>) -> Result<Vec<Held<Key>>, OpError>,
    B: FnMut(Option<&str>) -> Result<Vec<Held<Key>>, OpError>,
{
    let mut found = Difference::default();
    loop {
        from.fill()?;
        to.fill()?;
        let order = match (from.page.peek(), to.page.peek()) {
            (None, None) => return Ok(found),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(a), Some(b)) => a.record.id.cmp(&b.record.id),
        };
        let a = if order.is_le() { from.page.next() } else { None };
        let b = if order.is_ge() { to.page.next() } else { None };
        let (list, name) = match (a, b) {
            (Some(a), None) => (&mut found.removed, a.record.id),
            (None, Some(b)) => (&mut found.added, b.record.id),
            (Some(a), Some(b)) if a.content != b.content => (&mut found.changed, a.record.id),
            _ => continue,
        };
        if list.len() < limits::DIFF_NAMES {
            list.push(name);
        } else {
            found.truncated = true;
        }
    }
}
