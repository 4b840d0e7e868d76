//! What was given to a delegate: shares, seen from the one who has them.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    Cursor, PageSize, Word, delegates, meta, page,
    shares::{ShareView, Shares},
    standing,
};
use crate::{
    model::{access::Share, error::OpError, kind, permission::party::Party},
    ops::{
        operation::{Cx, EffectClass, OpMeta, Operation, Step},
        tx::Tx,
    },
};

/// What was given to a delegate of the caller's. next_cursor, when not null, continues.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// Id of the delegate
    pub delegate: Word,
    /// Page size, default 1000
    #[serde(default)]
    pub limit: Option<PageSize>,
    /// next_cursor of the page before
    #[serde(default)]
    pub cursor: Option<Cursor>,
}

impl Operation for List {
    const NAME: &'static str = "delegate_grant_list";
    const META: OpMeta = meta("List what a delegate was given", EffectClass::Read);
    type Out = Shares;

    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<Shares>, OpError> {
        let who = standing::known(tx, cx)?.standing;
        let id = delegates::own(tx, &who, self.delegate.as_str())?.record.id;
        let with = Party::Delegate(id).to_string();
        let at = Some((kind::SHARE_WITH, with.as_bytes()));
        let (found, next_cursor) = page::<Share>(tx, at, self.limit, self.cursor.as_ref())?;
        let shares = found.into_iter().map(|held| ShareView::of(tx, held)).collect::<Result<_, _>>()?;
        Ok(Step::Done(Shares { shares, next_cursor }))
    }
}
