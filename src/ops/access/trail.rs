//! `access_log`: who changed what in people, keys, shares and instances, read from the catalog's log.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{PageSize, counted, meta, standing, users};
use crate::{
    model::{
        access::{ApiKey, Delegate, DelegateSecret, Group, Project, Share, User},
        error::OpError,
        instance::Instance,
        kind::Kind,
        limits,
        permission::{Permission, party::Party},
        record::{Change, ChangeKind},
        sign_in::SignIn,
        time,
    },
    ops::{
        bounds::{Version, Whole},
        operation::{Cx, EffectClass, OpMeta, Operation, Report, Step},
        tx::Tx,
    },
};

/// Who changed what in people, keys, delegates, groups, shares, projects and instances, from where, newest first, as far
/// back as the log goes. Whose the server is sees it. next_before, when not null, continues.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Trail {
    /// Only changes before this seq, default all
    #[serde(default)]
    pub before: Option<Version>,
    /// How many, default 100
    #[serde(default)]
    pub limit: Option<PageSize>,
}

/// A change of a right, or of what rights are about.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Entry {
    /// Its number in the catalog.
    pub seq: u64,
    /// When.
    pub at: String,
    /// Through which operation.
    pub operation: String,
    /// Who: local, user:ID, key:ID or delegate:ID; system for upkeep.
    pub principal: String,
    /// The same in words, as far as they are known still.
    pub by: String,
    /// The program, as it names itself.
    pub client: String,
    /// Face and address from which it came; left out where nobody said, as for what was done on the machine itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// What kind of thing.
    pub kind: String,
    /// Its id.
    pub id: String,
    /// What happened to it.
    pub change: ChangeKind,
    /// What it became in words, or was.
    pub what: String,
}

/// Changes, newest first.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Steps {
    /// A page of them.
    #[schemars(schema_with = "crate::ops::schema::objects")]
    pub changes: Vec<Entry>,
    /// Pass it as `before` for the next page; null where the log ends.
    pub next_before: Option<u64>,
}

impl Report for Steps {
    fn outcome(&self) -> String {
        counted(self.changes.len(), "change").into()
    }
}

impl Operation for Trail {
    const NAME: &'static str = "access_log";
    const META: OpMeta = meta("Who changed which rights", EffectClass::Read);
    type Out = Steps;

    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<Steps>, OpError> {
        let who = standing::known(tx, cx)?.standing;
        users::may_manage(tx, &who)?;
        let limit = self.limit.map_or(limits::LIST_PAGE as usize, Whole::size);
        let (start, end) = (tx.log_start()?, self.before.map_or(tx.seq() + 1, |before| before.get().min(tx.seq() + 1)));
        let (mut before, mut changes, mut looked_at) = (end, Vec::new(), 0);
        while changes.len() < limit && before > start && looked_at < limits::LOOKED_AT {
            let since = before.saturating_sub(PIECE + 1).max(start.saturating_sub(1));
            let rows = tx.changes(since, usize::try_from(before - since).unwrap_or(usize::MAX))?;
            looked_at += usize::try_from(before - since).unwrap_or(usize::MAX);
            let known = rows.into_iter().rev().filter(|row| row.seq < before);
            let mut last = since + 1;
            for row in known {
                if changes.len() == limit {
                    last = row.seq + 1;
                    break;
                }
                changes.extend(shown(tx, row)?);
            }
            before = last;
        }
        let next_before = (before > start).then_some(before);
        Ok(Step::Done(Steps { changes, next_before }))
    }
}

/// Rows that are read at once.
const PIECE: u64 = 200;

fn shown(tx: &mut Tx<'_>, row: Change) -> Result<Option<Entry>, OpError> {
    // Of what is gone the row before says what it was.
    let body = match (&row.body, row.previous) {
        (Some(body), _) => Some(body.clone()),
        (None, Some(previous)) => tx.change(previous)?.and_then(|row| row.body),
        (None, None) => None,
    };
    let Some(what) = told(&row.kind, body.as_deref().unwrap_or_default()) else { return Ok(None) };
    Ok(Some(Entry {
        seq: row.seq,
        at: time::rfc3339(row.at),
        operation: row.operation,
        by: name(tx, &row.actor.principal)?,
        principal: row.actor.principal,
        client: row.actor.client,
        from: row.actor.from.as_deref().map(str::to_owned),
        kind: row.kind,
        id: row.id,
        change: row.change,
        what,
    }))
}

/// Somebody in words: an address, what a key is called and whose it is.
fn name(tx: &mut Tx<'_>, principal: &str) -> Result<String, OpError> {
    let (what, user) = match Party::parse(principal) {
        Some(Party::User(id)) => (String::new(), id),
        Some(Party::Key(id)) => match tx.get::<ApiKey>(&id)? {
            Some(held) => (format!("key \"{}\" of ", held.content.name), held.content.user),
            None => return Ok(principal.to_owned()),
        },
        Some(Party::Delegate(id)) => match tx.get::<Delegate>(&id)? {
            Some(held) => (format!("delegate \"{}\" of ", held.content.name), held.content.owner),
            None => return Ok(principal.to_owned()),
        },
        _ => return Ok(principal.to_owned()),
    };
    let known = tx.get::<User>(&user)?.map(|held| held.content);
    let user = known.and_then(|user| user.email.or(user.name)).unwrap_or(user);
    Ok(format!("{what}{user}"))
}

fn read<K: Kind + DeserializeOwned>(body: &str) -> Option<K> {
    serde_json::from_str(body).ok()
}

/// A record in words, without what is secret of it; nothing for kinds that are about no right, and no words for one whose
/// content the log holds no more.
fn told(kind: &str, body: &str) -> Option<String> {
    let words = match kind {
        User::KIND => read::<User>(body).map(|user| {
            let called = user.email.or(user.name).unwrap_or_else(|| "without an address".into());
            format!("user {called}{}", if user.is_owner { ", whose the server is" } else { "" })
        }),
        Project::KIND => read::<Project>(body)
            .map(|it| format!("project \"{}\" of {}, who enters gets: {}", it.name, it.owner, it.on_join.text())),
        ApiKey::KIND => read::<ApiKey>(body).map(|key| {
            let permissions: Vec<_> =
                key.permissions.iter().filter_map(|it| it.level()).map(Permission::name).collect();
            let scopes: Vec<_> = key.scopes.iter().map(ToString::to_string).collect();
            format!("key \"{}\" of {}: {} on {}", key.name, key.user, permissions.join(", "), scopes.join(", "))
        }),
        Delegate::KIND => read::<Delegate>(body)
            .map(|it| format!("delegate \"{}\" of {}: at most {}", it.name, it.owner, it.most.name())),
        DelegateSecret::KIND => read::<DelegateSecret>(body).map(|it| format!("secret of {}", it.delegate)),
        Group::KIND => read::<Group>(body).map(|group| {
            let members: Vec<_> = group.members.iter().take(MEMBERS).map(ToString::to_string).collect();
            let more = if group.members.len() > MEMBERS { ", …" } else { "" };
            let count = group.members.len();
            format!("group \"{}\" of {}: {count} members: {}{more}", group.name, group.owner, members.join(", "))
        }),
        Share::KIND => {
            read::<Share>(body).map(|share| format!("{} may {} {}", share.with, share.permission.name(), share.on))
        }
        Instance::KIND => read::<Instance>(body).map(|instance| {
            let state = match &instance {
                Instance { deleted_at: Some(_), .. } => ", deleted",
                Instance { read_only: true, .. } => ", read-only",
                Instance { .. } => "",
            };
            format!("instance \"{}\" in {}{state}", instance.name, instance.project)
        }),
        SignIn::KIND => Some("a browser's sign-in".into()),
        _ => return None,
    };
    Some(words.unwrap_or_default())
}

/// Members of a group that are named.
const MEMBERS: usize = 10;
