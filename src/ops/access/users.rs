//! Users: made by whoever the server belongs to, or when they come with a token of a known provider.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{
    access::{Delegate, Group, Identity, Project, User},
    error::OpError,
    kind, limits,
    permission::{
        Standing,
        party::{self, LOCAL, Party},
    },
    time,
    view::IdRange,
};

use super::{
    Cursor, PageSize, Word, absent, check_room, counted, forget, meta, name, page, projects, secrets, standing,
};
use crate::ops::{
    operation::{Cx, EffectClass, Listing, OpMeta, Operation, Report, Step},
    tx::{Held, Tx},
};

/// A user as replies show them.
#[derive(Debug, Serialize, JsonSchema)]
pub struct UserView {
    /// Their id.
    pub id: String,
    /// Their address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// What they are called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether the server is theirs.
    pub is_owner: bool,
    /// The project in which their names of instances are looked up.
    pub project: String,
    /// Since when they are known.
    pub created_at: String,
}

impl UserView {
    fn new(id: &str, user: User, created_at: i64) -> Self {
        let User { email, name, is_owner, project, .. } = user;
        Self { id: id.to_owned(), email, name, is_owner, project, created_at: time::rfc3339(created_at) }
    }

    pub(super) fn of(held: Held<User>) -> Self {
        Self::new(&held.record.id, held.content, held.record.created_at)
    }
}

impl Report for UserView {
    fn outcome(&self) -> String {
        format!("User {} has the id {}.", self.email.as_deref().unwrap_or("without an address"), self.id)
    }
}

/// Whether somebody may make and remove users: the user of this machine, and whose the server is.
pub(super) fn may_manage(tx: &mut Tx<'_>, who: &Standing) -> Result<(), OpError> {
    let is_owner = || who.user == LOCAL;
    if who.has_account && (is_owner() || tx.get::<User>(&who.user)?.is_some_and(|held| held.content.is_owner)) {
        return Ok(());
    }
    Err(OpError::PermissionDenied {
        what: "users of this server".into(),
        remedy: "Whose the server is may make, list and remove them".into(),
    })
}

/// The user of an e-mail address.
pub fn by_email(tx: &Tx<'_>, email: &str) -> Result<Option<Held<User>>, OpError> {
    Ok(tx.scan_index::<User>(kind::USER_EMAIL, email.as_bytes(), &IdRange::all(), 1)?.pop())
}

/// The user that an issuer knows by this name.
pub fn by_identity(tx: &Tx<'_>, of: &Identity) -> Result<Option<Held<User>>, OpError> {
    let key = kind::pair_key(&of.issuer, &of.subject);
    Ok(tx.scan_index::<User>(kind::USER_IDENTITY, &key, &IdRange::all(), 1)?.pop())
}

/// The user whose the server is.
pub fn server_owner(tx: &Tx<'_>) -> Result<Option<Held<User>>, OpError> {
    Ok(tx.scan_index::<User>(kind::SERVER_OWNER, b"", &IdRange::all(), 1)?.pop())
}

/// The user that a text means: an id, with or without `user:` before it, or an address.
pub fn meant(tx: &mut Tx<'_>, text: &str) -> Result<Held<User>, OpError> {
    let found = match Party::parse(text) {
        Some(Party::Email(email)) => by_email(tx, &email)?,
        Some(Party::User(id)) => tx.get::<User>(&id)?,
        _ => tx.get::<User>(text)?,
    };
    found.ok_or_else(|| absent("user", text, "user_list"))
}

/// Puts a new user with a project of their own.
pub(super) fn enter(tx: &mut Tx<'_>, id: String, project: String, user: User) -> Result<UserView, OpError> {
    check_room::<User>(tx)?;
    if tx.get::<Project>(&project)?.is_none() {
        projects::enter(tx, &project, &id, "default", None)?;
    }
    tx.put(&id, &user, None)?;
    let held = tx.get::<User>(&id)?.ok_or_else(|| absent("user", &id, "user_list"))?;
    Ok(UserView::of(held))
}

/// Make a user, with a project of their own. They get an API key from api_key_create, or sign in by their e-mail
/// address. Fails with already_exists when the address is known.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Create {
    /// Their e-mail address
    pub email: Word,
    /// What they are called
    #[serde(default)]
    pub name: Option<Word>,
}

impl Operation for Create {
    const NAME: &'static str = "user_create";
    const META: OpMeta = OpMeta { events: &["user.created"], ..meta("Make a user", EffectClass::Create) };
    type Out = UserView;

    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<UserView>, OpError> {
        let who = standing::known(tx, cx)?.standing;
        may_manage(tx, &who)?;
        let given = self.email.as_str();
        let email = party::email(given).ok_or_else(|| OpError::invalid("email", "it is an e-mail address", given))?;
        if let Some(held) = by_email(tx, &email)? {
            let (what, remedy) = (format!("user {email}"), format!("The id is {}", held.record.id));
            return Err(OpError::AlreadyExists { what, remedy });
        }
        let called = self.name.as_ref().map(|given| name("name", given)).transpose()?;
        let (id, project) = (secrets::id(cx, 0)?, secrets::id(cx, 1)?);
        let user = User {
            email: Some(email),
            name: called,
            is_owner: false,
            project: project.clone(),
            identities: Vec::new(),
        };
        enter(tx, id, project, user).map(Step::Done)
    }
}

/// The users of this server. next_cursor, when not null, continues.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// Page size, default 1000
    #[serde(default)]
    pub limit: Option<PageSize>,
    /// next_cursor of the page before
    #[serde(default)]
    pub cursor: Option<Cursor>,
}

/// Users by id.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Users {
    /// A page of them.
    pub users: Vec<UserView>,
    /// Pass it as `cursor` for the next page; null on the last.
    pub next_cursor: Option<String>,
}

impl Report for Users {
    fn outcome(&self) -> String {
        counted(self.users.len(), "user").into()
    }
}

impl Operation for List {
    const NAME: &'static str = "user_list";
    const META: OpMeta = meta("List users", EffectClass::Read);
    type Out = Users;

    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<Users>, OpError> {
        let who = standing::known(tx, cx)?.standing;
        may_manage(tx, &who)?;
        let (found, next_cursor) = page::<User>(tx, None, self.limit, self.cursor.as_ref())?;
        Ok(Step::Done(Users { users: found.into_iter().map(UserView::of).collect(), next_cursor }))
    }
}

/// Remove a user with their keys, delegates and groups, and what was given to them; at once, wherever they are
/// connected. Their projects become those of who removes them, and so does what can still be brought back of removed ones.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Delete {
    /// Id or e-mail address
    pub user: Word,
}

impl Operation for Delete {
    const NAME: &'static str = "user_delete";
    const META: OpMeta = OpMeta {
        events: &[
            "user.deleted",
            "api_key.deleted",
            "delegate.deleted",
            "group.deleted",
            "group.updated",
            "share.deleted",
            "project.updated",
            "instance.updated",
        ],
        ..meta("Remove a user", EffectClass::Delete)
    };
    type Out = UserView;

    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<UserView>, OpError> {
        let who = standing::known(tx, cx)?.standing;
        may_manage(tx, &who)?;
        let held = meant(tx, self.user.as_str())?;
        let id = held.record.id.clone();
        if held.content.is_owner {
            return Err(OpError::invalid("user", "the server is theirs: nobody can remove them", self.user.as_str()));
        }
        let of = held.content.email.as_deref().unwrap_or(&id).to_owned();
        for project in projects::owned(tx, &id)? {
            projects::hand_over(tx, &project, &who.user, &of)?;
        }
        projects::hand_over_left(tx, &id, &who.user)?;
        super::keys::revoke_all(tx, &id)?;
        for delegate in
            tx.scan_index::<Delegate>(kind::BELONGS_TO, id.as_bytes(), &IdRange::all(), limits::ACCESS_RECORDS)?
        {
            super::delegates::remove(tx, &delegate.record.id)?;
        }
        for group in tx.scan_index::<Group>(kind::BELONGS_TO, id.as_bytes(), &IdRange::all(), limits::ACCESS_RECORDS)? {
            super::groups::remove(tx, &group.record.id)?;
        }
        // Also what was given to their address before they were known: whoever gets it next is somebody else.
        for party in [Some(Party::User(id.clone())), held.content.email.clone().map(Party::Email)].into_iter().flatten()
        {
            forget(tx, &party)?;
        }
        tx.delete::<User>(&id)?;
        Ok(Step::Done(UserView::of(held)))
    }
}

/// Make the owner of a server that has none, with everything in the project `default`. Answers who that is.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Found {
    /// Their e-mail address
    #[serde(default)]
    pub email: Option<Word>,
}

impl Operation for Found {
    const NAME: &'static str = "server_found";
    const META: OpMeta = OpMeta {
        listing: Listing::Internal,
        events: &["user.created", "project.created"],
        ..meta("Make the owner of a server", EffectClass::Create)
    };
    type Out = UserView;

    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<UserView>, OpError> {
        if let Some(held) = server_owner(tx)? {
            let (what, remedy) = ("the owner of this server".to_owned(), format!("The id is {}", held.record.id));
            return Err(OpError::AlreadyExists { what, remedy });
        }
        let given = self.email.as_ref().map(|email| party::email(email.as_str()).ok_or(email));
        let email =
            given.transpose().map_err(|email| OpError::invalid("email", "it is an e-mail address", email.as_str()))?;
        let project = crate::ops::instances::DEFAULT_PROJECT.to_owned();
        if let Some(held) = email.as_deref().map(|email| by_email(tx, email)).transpose()?.flatten() {
            let user = User { is_owner: true, ..held.content };
            tx.put(&held.record.id, &user, None)?;
            return Ok(Step::Done(UserView::new(&held.record.id, user, held.record.created_at)));
        }
        let user = User { email, name: None, is_owner: true, project: project.clone(), identities: Vec::new() };
        enter(tx, secrets::id(cx, 0)?, project, user).map(Step::Done)
    }
}
