//! `key_facets`: by what keys can be narrowed down, with how many there are of each.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{
    error::OpError,
    key::Key,
    kind::{self, Kind as _},
    limits,
    permission::Action,
};

use super::meta;
use crate::ops::{
    operation::{Cx, EffectClass, Listing, OpMeta, Operation, Report, Step},
    tx::Tx,
};

/// The types, content tags and last writers of the keys, each with how many keys have it, most first.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Facets {}

/// One of them.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Facet {
    /// What `key_browse` takes.
    pub name: String,
    /// How many keys have it.
    pub keys: u64,
}

/// All of them.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Counted {
    /// By type.
    #[schemars(schema_with = "crate::ops::schema::objects")]
    pub types: Vec<Facet>,
    /// By content tag, at most 200.
    #[schemars(schema_with = "crate::ops::schema::objects")]
    pub tags: Vec<Facet>,
    /// By who changed them last, at most 200.
    #[schemars(schema_with = "crate::ops::schema::objects")]
    pub writers: Vec<Facet>,
    /// How many keys there are.
    pub total: u64,
    /// The state that was counted.
    pub as_of_seq: u64,
}

impl Report for Counted {
    fn outcome(&self) -> String {
        format!("{} keys by {} tags and {} writers.", self.total, self.tags.len(), self.writers.len())
    }
}

impl Operation for Facets {
    const NAME: &'static str = "key_facets";
    // The counts are of all keys, also of those that a model may not read: only who may read all is told.
    const META: OpMeta =
        OpMeta { listing: Listing::Search, ..meta("Facets of keys", Action::Attributes, EffectClass::Read) };
    type Out = Counted;

    fn apply(&self, tx: &mut Tx<'_>, _: &Cx) -> Result<Step<Counted>, OpError> {
        let facets = |index| -> Result<Vec<Facet>, OpError> {
            let counts = tx.view().counts(index, Key::KIND, limits::FACETS)?;
            Ok(counts
                .into_iter()
                .map(|(key, keys)| Facet { name: String::from_utf8_lossy(&key).into(), keys })
                .collect())
        };
        Ok(Step::Done(Counted {
            types: facets(kind::TYPE)?,
            tags: facets(kind::TAG)?,
            writers: facets(kind::WRITER)?,
            total: tx.count::<Key>()?,
            as_of_seq: tx.seq(),
        }))
    }
}
