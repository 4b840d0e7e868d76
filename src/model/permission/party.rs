//! The parties that may be given something, and the things that are given: each a short text in records and replies.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Serialize};

/// The user of this machine, and what its instances and keys belong to while nobody else is known.
pub const LOCAL: &str = "local";

/// Somebody to whom something may be given.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Party {
    /// A user, by id.
    User(String),
    /// Whoever has this e-mail address, now or later; in lower case.
    Email(String),
    /// The members of a group, by its id.
    Group(String),
    /// Who holds an API key, by its id.
    Key(String),
    /// A delegate, by its id.
    Delegate(String),
    /// Everybody who has proved who they are.
    Public,
}

/// Something that may be given.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Resource {
    /// A project with all its instances, by id.
    Project(String),
    /// One instance, by id.
    Instance(String),
}

/// How far an API key reaches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Scope {
    /// As far as its user.
    Account,
    /// This, and no further.
    On(Resource),
}

impl Party {
    /// The word and the id.
    fn parts(&self) -> (&'static str, &str) {
        match self {
            Self::User(id) => ("user", id),
            Self::Email(address) => ("email", address),
            Self::Group(id) => ("group", id),
            Self::Key(id) => ("key", id),
            Self::Delegate(id) => ("delegate", id),
            Self::Public => ("public", ""),
        }
    }

    /// The party of a text: `public`, an e-mail address, or a word and an id with a colon between them.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "public" {
            return Some(Self::Public);
        }
        let (word, id) = text.split_once(':').unwrap_or(("email", text));
        let id = id.trim();
        if id.is_empty() {
            return None;
        }
        match word {
            "user" => Some(Self::User(id.into())),
            "email" => email(id).map(Self::Email),
            "group" => Some(Self::Group(id.into())),
            "key" => Some(Self::Key(id.into())),
            "delegate" => Some(Self::Delegate(id.into())),
            _ => None,
        }
    }
}

/// An e-mail address as it is compared; nothing for what is none.
pub fn email(text: &str) -> Option<String> {
    let text = text.trim();
    let (name, domain) = text.rsplit_once('@')?;
    let is_sound = !name.is_empty() && !domain.is_empty() && !text.chars().any(|c| c.is_whitespace() || c.is_control());
    is_sound.then(|| text.to_lowercase())
}

impl Resource {
    /// Its id.
    pub fn id(&self) -> &str {
        match self {
            Self::Project(id) | Self::Instance(id) => id,
        }
    }

    /// The resource of a text.
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once(':')? {
            (_, "") => None,
            ("project", id) => Some(Self::Project(id.into())),
            ("instance", id) => Some(Self::Instance(id.into())),
            _ => None,
        }
    }
}

impl Scope {
    /// The scope of a text.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "account" { Some(Self::Account) } else { Resource::parse(text).map(Self::On) }
    }
}

impl fmt::Display for Party {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parts() {
            (word, "") => formatter.write_str(word),
            (word, id) => write!(formatter, "{word}:{id}"),
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Project(id) => write!(formatter, "project:{id}"),
            Self::Instance(id) => write!(formatter, "instance:{id}"),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account => formatter.write_str("account"),
            Self::On(resource) => resource.fmt(formatter),
        }
    }
}

/// Each is written as its text and read from it.
macro_rules! as_text {
    ($($name:ident),+) => {
        $(impl From<$name> for String {
            fn from(it: $name) -> Self {
                it.to_string()
            }
        }

        impl TryFrom<String> for $name {
            type Error = Cow<'static, str>;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::parse(&text).ok_or_else(|| format!("\"{text}\" is none").into())
            }
        })+
    };
}

as_text!(Party, Resource, Scope);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_parties_are_one_another() {
        for text in ["user:u", "email:a@b", "group:g", "key:k", "delegate:d", "public"] {
            assert_eq!(Party::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Party::parse(" Ann@Example.com "), Some(Party::Email("ann@example.com".into())));
        for none in ["", "user:", "ann", "nobody:x", "@b", "a@", "a b@c", "local"] {
            assert_eq!(Party::parse(none), None, "{none}");
        }
        for text in ["account", "project:p", "instance:i"] {
            assert_eq!(Scope::parse(text).unwrap().to_string(), text);
        }
        assert_eq!([Scope::parse("project:"), Scope::parse("user:u"), Scope::parse("")], [None, None, None]);
    }
}
