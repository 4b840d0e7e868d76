//! Kinds of records, and the indexes that each declares. "Index = recomputation from the records" is one
//! property for all of them, so this is the only place that says which entries a record has.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use unicode_normalization::{UnicodeNormalization as _, is_nfc};

use super::{
    access::{ApiKey, Delegate, DelegateSecret, Group, Identity, KeyUse, Project, Share, User},
    actor::Actor,
    erasure::Erasure,
    index,
    instance::Instance,
    key::{History, Key},
    record::IndexEntry,
    reply::KeptReply,
    sign_in::SignIn,
    tool_name,
    undone::Undone,
};

/// Records that expire, by instant; shared by all kinds. Key: the instant in milliseconds.
pub const DUE: &str = "due";
/// Keys by content tag.
pub const TAG: &str = "tag";
/// Keys by type.
pub const TYPE: &str = "type";
/// Keys by who wrote them last, as [`Actor::writer`] says it.
pub const WRITER: &str = "writer";
/// Indexes of keys of which the store keeps how many records are under each key.
pub const COUNTED: [&str; 3] = [TAG, TYPE, WRITER];
/// Keys that a model may read.
pub const READABLE: &str = "readable";
/// Keys of the system prompt, by `z_index`.
pub const PROMPT: &str = "prompt";
/// Keys whose name is not in Unicode normal form C or is not ASCII, by that form.
pub const NFC: &str = "nfc";
/// Keys by what their tools may be called, where that is not their name.
pub const TOOL: &str = "tool";
/// Keys that models may read or write, in the order of tools.
pub const TOOL_RANK: &str = "tool_rank";
/// Instances by project and name; a deleted one's name is free.
pub const INSTANCE_NAME: &str = "instance_name";
/// Deleted instances by project and name.
pub const DELETED_NAME: &str = "deleted_name";
/// Deleted instances by when that was, in milliseconds.
pub const DELETED_AT: &str = "deleted_at";
/// Instances by what they were copied from.
pub const PARENT: &str = "parent";

/// Instances that are somebody's own, by project and user; a deleted one is none.
pub const OWN: &str = "own";
/// Users by e-mail address.
pub const USER_EMAIL: &str = "user_email";
/// Users by issuer, and its name for them.
pub const USER_IDENTITY: &str = "user_identity";
/// The users whose the server is.
pub const SERVER_OWNER: &str = "server_owner";
/// Projects by owner and name.
pub const PROJECT_NAME: &str = "project_name";
/// API keys by their public prefix.
pub const KEY_PREFIX: &str = "key_prefix";
/// API keys, delegates and groups by the user whose they are.
pub const BELONGS_TO: &str = "belongs_to";
/// Groups by owner and name.
pub const GROUP_NAME: &str = "group_name";
/// Groups by member.
pub const GROUP_MEMBER: &str = "group_member";
/// Groups by who has left them.
pub const GROUP_LEFT: &str = "group_left";
/// Shares by what is given.
pub const SHARE_ON: &str = "share_on";
/// Shares by to whom.
pub const SHARE_WITH: &str = "share_with";
/// Shares by what is given and to whom.
pub const SHARE: &str = "share";

/// A kind of record: its word, and under what each record of it is found.
pub trait Kind: Serialize + DeserializeOwned {
    /// The word in the store.
    const KIND: &'static str;

    /// The index entries of a record, without `due` for its expiry, which every kind has alike.
    fn entries(&self, id: &str) -> Vec<IndexEntry>;

    /// Whether records of the kind are found by who wrote them last.
    const BY_WRITER: bool = false;

    /// Whether other records go with one whose time is up. It is then hidden until upkeep removes it with them.
    const TAKES_ALONG: bool = false;

    /// What the log keeps of a record where that is not the whole of it.
    fn logged(&self) -> Option<Self> {
        None
    }
}

impl Kind for Key {
    const KIND: &'static str = "key";
    const BY_WRITER: bool = true;

    fn entries(&self, id: &str) -> Vec<IndexEntry> {
        let mut entries = vec![IndexEntry { index: TYPE, key: self.key_type.name().into() }];
        entries.extend(self.tags.iter().map(|tag| IndexEntry { index: TAG, key: tag.as_bytes().to_vec() }));
        if self.system_tags.llm_readable() {
            entries.push(IndexEntry { index: READABLE, key: Vec::new() });
        }
        if self.system_tags.has(super::tags::SystemTag::SystemPrompt) {
            entries.push(IndexEntry { index: PROMPT, key: index::number(self.z_index) });
        }
        entries
            .extend(tool_name::index_keys(id).into_iter().map(|key| IndexEntry { index: TOOL, key: key.into_bytes() }));
        if self.system_tags.llm_readable() || self.system_tags.llm_writable() {
            let in_prompt = self.system_tags.has(super::tags::SystemTag::SystemPrompt);
            entries.push(IndexEntry { index: TOOL_RANK, key: tool_name::rank(in_prompt, self.z_index) });
        }
        if !id.is_ascii() {
            entries.push(IndexEntry { index: NFC, key: nfc(id).into_bytes() });
        }
        entries
    }

    fn logged(&self) -> Option<Self> {
        (self.history == History::None).then(|| self.without_value())
    }
}

/// Unicode normal form C of a name.
pub fn nfc(name: &str) -> String {
    if is_nfc(name) { name.to_owned() } else { name.nfc().collect() }
}

impl Kind for KeptReply {
    const KIND: &'static str = "reply";

    fn entries(&self, _: &str) -> Vec<IndexEntry> {
        Vec::new()
    }

    /// The log need not say it again.
    fn logged(&self) -> Option<Self> {
        Some(Self { outcome: String::new(), result: Value::Null, ..self.clone() })
    }
}

impl Kind for Erasure {
    const KIND: &'static str = "erasure";

    /// Due at once: upkeep finds it under the earliest instant.
    fn entries(&self, _: &str) -> Vec<IndexEntry> {
        vec![IndexEntry { index: DUE, key: index::number(0) }]
    }
}

impl Kind for Undone {
    const KIND: &'static str = "undone";

    fn entries(&self, _: &str) -> Vec<IndexEntry> {
        Vec::new()
    }
}

/// Kinds that are mindcache's own bookkeeping.
pub const INTERNAL: [&str; 4] = [KeptReply::KIND, Erasure::KIND, Undone::KIND, KeyUse::KIND];

/// Whether records of a kind are mindcache's own bookkeeping, which no log or list shows.
pub fn is_internal(kind: &str) -> bool {
    INTERNAL.contains(&kind)
}

impl Kind for Instance {
    const KIND: &'static str = "instance";

    fn entries(&self, _: &str) -> Vec<IndexEntry> {
        let name = instance_name_key(&self.project, &self.name);
        let mut entries = match self.deleted_at {
            None => {
                let own = self.own_of.as_ref().map(|user| pair_key(&self.project, user));
                let own = own.map(|key| IndexEntry { index: OWN, key });
                std::iter::once(IndexEntry { index: INSTANCE_NAME, key: name }).chain(own).collect()
            }
            Some(at) => vec![
                IndexEntry { index: DELETED_NAME, key: name },
                IndexEntry { index: DELETED_AT, key: index::number(at) },
            ],
        };
        let parent = self.parent.as_ref().map(|parent| parent.as_str().into());
        entries.extend(parent.map(|key| IndexEntry { index: PARENT, key }));
        entries
    }
}

impl Kind for User {
    const KIND: &'static str = "user";

    fn entries(&self, _: &str) -> Vec<IndexEntry> {
        let mut entries = Vec::new();
        entries.extend(self.email.iter().map(|email| entry(USER_EMAIL, email)));
        let key = |of: &Identity| pair_key(&of.issuer, &of.subject);
        entries.extend(self.identities.iter().map(|of| IndexEntry { index: USER_IDENTITY, key: key(of) }));
        if self.is_owner {
            entries.push(entry(SERVER_OWNER, ""));
        }
        entries
    }
}

impl Kind for Project {
    const KIND: &'static str = "project";

    fn entries(&self, _: &str) -> Vec<IndexEntry> {
        vec![IndexEntry { index: PROJECT_NAME, key: pair_key(&self.owner, &self.name) }]
    }
}

impl Kind for ApiKey {
    const KIND: &'static str = "api_key";
    const TAKES_ALONG: bool = true;

    fn entries(&self, _: &str) -> Vec<IndexEntry> {
        vec![entry(KEY_PREFIX, &self.prefix), entry(BELONGS_TO, &self.user)]
    }
}

impl Kind for KeyUse {
    const KIND: &'static str = "key_use";

    fn entries(&self, _: &str) -> Vec<IndexEntry> {
        Vec::new()
    }
}

impl Kind for Delegate {
    const KIND: &'static str = "delegate";
    const TAKES_ALONG: bool = true;

    fn entries(&self, _: &str) -> Vec<IndexEntry> {
        vec![entry(BELONGS_TO, &self.owner)]
    }
}

impl Kind for DelegateSecret {
    const KIND: &'static str = "delegate_secret";
    const TAKES_ALONG: bool = true;

    fn entries(&self, _: &str) -> Vec<IndexEntry> {
        vec![entry(BELONGS_TO, &self.delegate)]
    }
}

impl Kind for Group {
    const KIND: &'static str = "group";

    fn entries(&self, _: &str) -> Vec<IndexEntry> {
        let mut entries = vec![IndexEntry { index: GROUP_NAME, key: pair_key(&self.owner, &self.name) }];
        entries.push(entry(BELONGS_TO, &self.owner));
        entries.extend(self.members.iter().map(|member| entry(GROUP_MEMBER, &member.to_string())));
        entries.extend(self.left.iter().map(|user| entry(GROUP_LEFT, &user.to_string())));
        entries
    }
}

impl Kind for Share {
    const KIND: &'static str = "share";

    fn entries(&self, _: &str) -> Vec<IndexEntry> {
        let (on, with) = (self.on.to_string(), self.with.to_string());
        let both = IndexEntry { index: SHARE, key: pair_key(&on, &with) };
        vec![entry(SHARE_ON, &on), entry(SHARE_WITH, &with), both]
    }
}

fn entry(index: &'static str, key: &str) -> IndexEntry {
    IndexEntry { index, key: key.as_bytes().to_vec() }
}

/// Key of an instance's name.
pub fn instance_name_key(project: &str, name: &str) -> Vec<u8> {
    pair_key(project, name)
}

/// Key of two texts together; a NUL divides, as neither contains one.
pub fn pair_key(first: &str, second: &str) -> Vec<u8> {
    [first.as_bytes(), b"\0", second.as_bytes()].concat()
}

/// All entries of a record with that expiry, written last by that author.
pub fn entries_of<K: Kind>(record: &K, id: &str, expires_at: Option<i64>, by: &Actor) -> Vec<IndexEntry> {
    let mut entries = record.entries(id);
    if let Some(at) = expires_at {
        entries.push(IndexEntry { index: DUE, key: index::number(at) });
    }
    if K::BY_WRITER {
        entries.push(IndexEntry { index: WRITER, key: by.writer().into_bytes() });
    }
    entries.sort();
    entries
}

/// All entries of a stored record of any kind, recomputed from its body and its author: what a check of the store
/// compares with. `None` for a kind that this version does not know. Errors: the body is not one of that kind.
pub fn recompute(
    kind: &str,
    id: &str,
    body: &str,
    expires_at: Option<i64>,
    by: &Actor,
) -> Option<serde_json::Result<Vec<IndexEntry>>> {
    let stored = Stored { id, body, expires_at, by };
    match kind {
        Key::KIND => Some(stored.entries::<Key>()),
        Instance::KIND => Some(stored.entries::<Instance>()),
        KeptReply::KIND => Some(stored.entries::<KeptReply>()),
        Erasure::KIND => Some(stored.entries::<Erasure>()),
        Undone::KIND => Some(stored.entries::<Undone>()),
        SignIn::KIND => Some(stored.entries::<SignIn>()),
        User::KIND => Some(stored.entries::<User>()),
        Project::KIND => Some(stored.entries::<Project>()),
        ApiKey::KIND => Some(stored.entries::<ApiKey>()),
        KeyUse::KIND => Some(stored.entries::<KeyUse>()),
        Delegate::KIND => Some(stored.entries::<Delegate>()),
        DelegateSecret::KIND => Some(stored.entries::<DelegateSecret>()),
        Group::KIND => Some(stored.entries::<Group>()),
        Share::KIND => Some(stored.entries::<Share>()),
        _ => None,
    }
}

/// A record as it is stored.
struct Stored<'s> {
    id: &'s str,
    body: &'s str,
    expires_at: Option<i64>,
    by: &'s Actor,
}

impl Stored<'_> {
    fn entries<K: Kind>(&self) -> serde_json::Result<Vec<IndexEntry>> {
        serde_json::from_str::<K>(self.body).map(|record| entries_of(&record, self.id, self.expires_at, self.by))
    }
}
