//! People, what they own, what they prove themselves with, and what they give to one another: records of the catalog.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    instance::InstanceId,
    limits,
    permission::{
        Permission, PrincipalKind,
        party::{Party, Resource, Scope},
    },
};

/// A person. The id of the record is theirs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Their address, in lower case; one that somebody vouches for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// What they are called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether the server is theirs: they may make and remove users.
    #[serde(default)]
    pub is_owner: bool,
    /// The project in which their names of instances are looked up.
    pub project: String,
    /// As whom issuers know them: one for each issuer at most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identities: Vec<Identity>,
}

/// As whom an issuer of tokens knows somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The issuer, as its tokens name it.
    pub issuer: String,
    /// Its name for them, which it never gives to anybody else.
    pub subject: String,
}

impl Identity {
    /// The identity of a checked token; nothing when the token says nobody, or at a length that no issuer may use.
    pub fn new(issuer: &str, subject: &str) -> Option<Self> {
        let is_sound =
            !subject.is_empty() && subject.len() <= limits::SUBJECT_BYTES && !subject.contains(char::is_control);
        is_sound.then(|| Self { issuer: issuer.to_owned(), subject: subject.to_owned() })
    }
}

/// Somebody for whom an issuer vouches.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// As whom the issuer knows them.
    pub identity: Identity,
    /// Their address in lower case, if the issuer has verified it.
    pub email: Option<String>,
    /// What they are called.
    pub name: Option<String>,
    /// Whether they become a user when they are none yet.
    pub may_be_new: bool,
}

/// A container of instances, with an owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Project {
    /// Its name, unique among those of its owner.
    pub name: String,
    /// The id of the user whose it is.
    pub owner: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What somebody gets who enters it.
    #[serde(default, skip_serializing_if = "OnJoin::is_shared")]
    pub on_join: OnJoin,
}

/// What somebody gets who enters a project.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnJoin {
    /// The instance `default` of the project, like everybody.
    #[default]
    Shared,
    /// An instance of their own, made from this one.
    OwnFrom(InstanceId),
}

impl OnJoin {
    /// Whether everybody gets the same.
    pub fn is_shared(&self) -> bool {
        *self == Self::Shared
    }

    /// As arguments and replies have it.
    pub fn text(&self) -> String {
        match self {
            Self::Shared => "shared".into(),
            Self::OwnFrom(id) => format!("own_from:{id}"),
        }
    }
}

/// What an API key may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum KeyPermission {
    /// To read.
    Read,
    /// To write.
    Write,
    /// For everything.
    Admin,
    /// For what may cost money.
    Spend,
}

impl KeyPermission {
    /// How much it allows; nothing for spending, which allows no operation by itself.
    pub fn level(self) -> Option<Permission> {
        match self {
            Self::Read => Some(Permission::Read),
            Self::Write => Some(Permission::Write),
            Self::Admin => Some(Permission::Admin),
            Self::Spend => None,
        }
    }
}

/// An API key of a user. The record ends when the key expires, and is removed when it is revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// What it is for.
    pub name: String,
    /// The id of the user whose it is.
    pub user: String,
    /// What kind of party uses it.
    pub kind: PrincipalKind,
    /// Its first characters, which are no secret: it is found by them.
    pub prefix: String,
    /// SHA-256 of it.
    pub sha256: String,
    /// How far it reaches.
    pub scopes: Vec<Scope>,
    /// What it may be used for.
    pub permissions: Vec<KeyPermission>,
}

/// When an API key or the secret of a delegate was last used, roughly. Its id is that of the key or secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyUse {
    /// In milliseconds since 1970.
    pub at: i64,
}

/// An identity of its own for an agent of somebody. It may do what was given to it and its flags allow, as far as its
/// owner may.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delegate {
    /// What it is called.
    pub name: String,
    /// The id of the user whose it is.
    pub owner: String,
    /// The most that it may do anywhere.
    pub most: Permission,
}

/// One of the secrets of a delegate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DelegateSecret {
    /// Whose it is.
    pub delegate: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// SHA-256 of it.
    pub sha256: String,
}

/// Some to whom things are given together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Its name, unique among those of its owner.
    pub name: String,
    /// The id of the user whose it is.
    pub owner: String,
    /// Users, addresses, keys and delegates.
    pub members: Vec<Party>,
    /// Users who have left it, and have not said that they may be put into it again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<Party>,
}

/// Something given to somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// What.
    pub on: Resource,
    /// To whom.
    pub with: Party,
    /// How much.
    pub permission: Permission,
}
