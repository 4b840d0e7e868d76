//! People, keys and shares: what they are to one another, as operations of the catalog. So each change of a right is a
//! row of its log, and whoever follows that hears of it at once.

pub mod arriving;
pub mod delegates;
pub mod grants;
pub mod groups;
pub mod joining;
pub mod keys;
pub mod projects;
pub mod quota;
pub mod reach;
pub mod secrets;
pub mod shares;
pub mod standing;
pub mod trail;
pub mod users;

use std::borrow::Cow;

use crate::model::{
    access::{ApiKey, Share},
    error::OpError,
    kind::{self, Kind},
    limits,
    permission::{
        Action, Standing,
        party::{LOCAL, Party},
    },
    view::IdRange,
};

use super::{
    bounds::{Text, Whole},
    operation::{Cx, EffectClass, Listing, OpMeta, Target},
    tx::{Held, Tx},
};

/// A name or a text that stands for somebody or something.
pub type Word = Text<1, { limits::ACCESS_CHARACTERS }>;
/// Milliseconds until something ends.
pub type Lifetime = Whole<1, { limits::TTL_MS }>;
/// Items of a page.
pub type PageSize = Whole<1, { limits::PAGE as u64 }>;
/// Where a page begins.
pub type Cursor = Text<0, { limits::ACCESS_CHARACTERS }>;

/// The facts that these operations share: they are edit mode's, and found by searching.
const fn meta(title: &'static str, effect: EffectClass) -> OpMeta {
    OpMeta {
        title,
        toolset: "access",
        listing: Listing::Search,
        target: Target::Catalog,
        action: Action::Access,
        effect,
        idempotent: matches!(effect, EffectClass::Read),
        waits: false,
        events: &[],
    }
}

/// Whether one more record of a kind may be made.
fn check_room<K: Kind>(tx: &Tx<'_>) -> Result<(), OpError> {
    room(tx.count::<K>()?, K::KIND)
}

fn room(count: u64, kind: &str) -> Result<(), OpError> {
    if count < limits::ACCESS_RECORDS as u64 {
        return Ok(());
    }
    let rule = format!("there are {count} records of the kind {kind}, which is the limit: remove some first");
    Err(OpError::invalid("arguments", rule, ""))
}

/// The refusal of who has no account to act on: a key that reaches no further than some projects or instances, a key
/// without `admin`, a delegate.
fn account(who: &Standing, what: &str) -> Result<(), OpError> {
    if who.has_account { Ok(()) } else { Err(no_account(what)) }
}

fn no_account(what: &str) -> OpError {
    OpError::PermissionDenied {
        what: what.to_owned(),
        remedy: "It takes the user themselves, or an API key of theirs with the scope account and the permission admin"
            .into(),
    }
}

/// When that ends which the caller makes: when they ask for it, and no later than the key that they show. Who has a key
/// for a day has it for no longer by making another.
fn ends(tx: &mut Tx<'_>, cx: &Cx, in_ms: Option<Lifetime>) -> Result<Option<i64>, OpError> {
    let asked = in_ms.map(|ms| cx.now_ms.saturating_add_unsigned(ms.get()));
    let of_key = match Party::parse(&cx.principal.id) {
        Some(Party::Key(id)) => tx.get::<ApiKey>(&id)?.and_then(|held| held.record.expires_at),
        _ => None,
    };
    Ok(asked.into_iter().chain(of_key).min())
}

/// A name without blanks around it. Errors: `invalid_argument` when nothing is left or it has control characters.
fn name(path: &str, given: &Word) -> Result<String, OpError> {
    let name = given.as_str().trim();
    if name.is_empty() || name.chars().any(char::is_control) {
        return Err(OpError::invalid(path, "a name has other characters than blanks, and no control characters", name));
    }
    Ok(name.to_owned())
}

/// A page of records under one key of an index, after a cursor.
fn page<K: Kind>(
    tx: &Tx<'_>,
    at: Option<(&'static str, &[u8])>,
    limit: Option<PageSize>,
    cursor: Option<&Cursor>,
) -> Result<(Vec<Held<K>>, Option<String>), OpError> {
    let limit = limit.map_or(limits::PAGE as usize, Whole::size);
    let range = IdRange::page("", cursor.map(Text::as_str));
    let mut found = match at {
        Some((index, key)) => tx.scan_index::<K>(index, key, &range, limit + 1)?,
        None => tx.scan::<K>(&range, limit + 1)?,
    };
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|held| held.record.id.clone());
    Ok((found, next))
}

/// A page of what belongs to the caller's user; on the machine itself everybody's is seen.
fn own_page<K: Kind>(
    tx: &Tx<'_>,
    who: &Standing,
    limit: Option<PageSize>,
    cursor: Option<&Cursor>,
) -> Result<(Vec<Held<K>>, Option<String>), OpError> {
    let of_user = (who.user != LOCAL).then_some((kind::BELONGS_TO, who.user.as_bytes()));
    page(tx, of_user, limit, cursor)
}

/// A page of what stands under the caller's user themselves in an index, by id and by address.
fn own_parties<K: Kind>(
    tx: &Tx<'_>,
    who: &Standing,
    index: &'static str,
    limit: Option<PageSize>,
    cursor: Option<&Cursor>,
) -> Result<(Vec<Held<K>>, Option<String>), OpError> {
    let limit = limit.map_or(limits::PAGE as usize, Whole::size);
    let range = IdRange::page("", cursor.map(Text::as_str));
    let mut found = Vec::new();
    for party in who.parties.iter().filter(|party| matches!(party, Party::User(_) | Party::Email(_))) {
        found.extend(tx.scan_index::<K>(index, party.to_string().as_bytes(), &range, limit + 1)?);
    }
    found.sort_by(|one, other| one.record.id.cmp(&other.record.id));
    found.dedup_by(|one, other| one.record.id == other.record.id);
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|held| held.record.id.clone());
    Ok((found, next))
}

/// Makes a record and answers it as it is stored.
fn made<K: Kind>(tx: &mut Tx<'_>, id: &str, content: &K, ends: Option<i64>) -> Result<Held<K>, OpError> {
    tx.put(id, content, ends)?;
    tx.get::<K>(id)?.ok_or_else(|| OpError::NotFound {
        what: format!("{} \"{id}\"", K::KIND),
        remedy: "It has ended already: let it last longer".into(),
    })
}

/// Removes what was given to somebody who is no more, and takes them out of their groups.
fn forget(tx: &mut Tx<'_>, party: &Party) -> Result<(), OpError> {
    let key = party.to_string();
    for held in tx.scan_index::<Share>(kind::SHARE_WITH, key.as_bytes(), &IdRange::all(), limits::ACCESS_RECORDS)? {
        tx.delete::<Share>(&held.record.id)?;
    }
    groups::leave_all(tx, party)
}

/// The refusal of what is not there, or not the caller's.
fn absent(what: &str, id: &str, list: &str) -> OpError {
    OpError::NotFound { what: format!("{what} \"{id}\""), remedy: format!("{list} shows those that exist") }
}

/// How many, in words.
fn counted(count: usize, one: &str) -> Cow<'static, str> {
    match count {
        0 => format!("No {one}s.").into(),
        1 => format!("1 {one}.").into(),
        count => format!("{count} {one}s.").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_a_hundred_thousand_records_of_a_kind() {
        let most = limits::ACCESS_RECORDS as u64;
        assert!(room(most - 1, "user").is_ok());
        assert_eq!(room(most, "user").unwrap_err().code(), "invalid_argument");
    }
}
