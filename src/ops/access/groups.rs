//! Groups: what is given to one is given to each of its members.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{
    access::{ApiKey, Delegate, Group, User},
    error::OpError,
    kind, limits,
    permission::{
        Standing,
        party::{LOCAL, Party},
    },
    view::IdRange,
};

use super::{
    Cursor, PageSize, Word, absent, account, check_room, counted, forget, meta, name, own_page, own_parties, quota,
    secrets, standing, users,
};
use crate::ops::{
    operation::{Cx, EffectClass, OpMeta, Operation, Report, Step},
    tx::{Held, Tx},
};

/// A group as replies show it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct GroupView {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The id of the user whose it is.
    pub owner: String,
    /// Users, addresses, keys and delegates.
    pub members: Vec<String>,
}

impl GroupView {
    fn new(id: &str, group: &Group) -> Self {
        let members = group.members.iter().map(ToString::to_string).collect();
        Self { id: id.to_owned(), name: group.name.clone(), owner: group.owner.clone(), members }
    }
}

impl Report for GroupView {
    fn outcome(&self) -> String {
        format!("Group \"{}\" ({}) has {} members.", self.name, self.id, self.members.len())
    }
}

fn by_name(tx: &Tx<'_>, owner: &str, name: &str) -> Result<Option<Held<Group>>, OpError> {
    Ok(tx.scan_index::<Group>(kind::GROUP_NAME, &kind::pair_key(owner, name), &IdRange::all(), 1)?.pop())
}

/// The caller's group of a name or id. Errors: `not_found` for somebody else's.
pub(super) fn own(tx: &mut Tx<'_>, who: &Standing, text: &str) -> Result<Held<Group>, OpError> {
    let text = text.strip_prefix("group:").unwrap_or(text);
    let found = match by_name(tx, &who.user, text)? {
        Some(held) => Some(held),
        None => tx.get::<Group>(text)?.filter(|held| held.content.owner == who.user || who.user == LOCAL),
    };
    found.ok_or_else(|| absent("group", text, "group_list"))
}

/// The member that a text means: a user by id or address, a key or a delegate by id.
pub(super) fn somebody(tx: &mut Tx<'_>, path: &str, text: &str) -> Result<Party, OpError> {
    let party = Party::parse(text).ok_or_else(|| {
        OpError::invalid(path, "it is an e-mail address, user:ID, group:NAME, key:ID, delegate:ID or public", text)
    })?;
    let is_there = match &party {
        Party::User(id) => tx.get::<User>(id)?.is_some(),
        Party::Key(id) => tx.get::<ApiKey>(id)?.is_some(),
        Party::Delegate(id) => tx.get::<Delegate>(id)?.is_some(),
        // Whoever will have the address.
        Party::Email(email) => {
            return Ok(users::by_email(tx, email)?.map_or(party, |held| Party::User(held.record.id)));
        }
        Party::Group(_) | Party::Public => true,
    };
    if is_there { Ok(party) } else { Err(absent("party", text, "user_list, api_key_list or delegate_list")) }
}

/// Make a group. Fails with already_exists when the caller has one of that name.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Create {
    /// Its name
    pub name: Word,
}

impl Operation for Create {
    const NAME: &'static str = "group_create";
    const META: OpMeta = OpMeta { events: &["group.created"], ..meta("Make a group", EffectClass::Create) };
    type Out = GroupView;

    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<GroupView>, OpError> {
        let who = standing::known(tx, cx)?.standing;
        account(&who, "making a group")?;
        check_room::<Group>(tx)?;
        quota::group(tx, &who.user)?;
        let called = name("name", &self.name)?;
        if by_name(tx, &who.user, &called)?.is_some() {
            let remedy = "Use it, or choose another name".into();
            return Err(OpError::AlreadyExists { what: format!("group \"{called}\""), remedy });
        }
        let group = Group { name: called, owner: who.user, members: Vec::new(), left: Vec::new() };
        let id = secrets::id(cx, 0)?;
        tx.put(&id, &group, None)?;
        Ok(Step::Done(GroupView::new(&id, &group)))
    }
}

/// The caller's groups with their members, or those that the caller's user is in. next_cursor, when not null, continues.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// Those that the caller's user is in, instead of their own; without the other members
    #[serde(default)]
    pub joined: Option<bool>,
    /// Page size, default 1000
    #[serde(default)]
    pub limit: Option<PageSize>,
    /// next_cursor of the page before
    #[serde(default)]
    pub cursor: Option<Cursor>,
}

/// Groups by id.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Groups {
    /// A page of them.
    #[schemars(schema_with = "crate::ops::schema::objects")]
    pub groups: Vec<GroupView>,
    /// Pass it as `cursor` for the next page; null on the last.
    pub next_cursor: Option<String>,
}

impl Report for Groups {
    fn outcome(&self) -> String {
        counted(self.groups.len(), "group").into()
    }
}

impl Operation for List {
    const NAME: &'static str = "group_list";
    const META: OpMeta = meta("List groups", EffectClass::Read);
    type Out = Groups;

    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<Groups>, OpError> {
        let who = standing::known(tx, cx)?.standing;
        account(&who, "listing groups")?;
        if self.joined == Some(true) {
            let (found, next_cursor) =
                own_parties::<Group>(tx, &who, kind::GROUP_MEMBER, self.limit, self.cursor.as_ref())?;
            let groups = found.into_iter().map(|held| {
                let members = held.content.members.into_iter().filter(|member| who.parties.contains(member)).collect();
                GroupView::new(&held.record.id, &Group { members, ..held.content })
            });
            return Ok(Step::Done(Groups { groups: groups.collect(), next_cursor }));
        }
        let (found, next_cursor) = own_page::<Group>(tx, &who, self.limit, self.cursor.as_ref())?;
        let groups = found.iter().map(|held| GroupView::new(&held.record.id, &held.content)).collect();
        Ok(Step::Done(Groups { groups, next_cursor }))
    }
}

/// Remove a group; what was given to it is nobody's any more, at once.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Delete {
    /// Name or id
    pub group: Word,
}

impl Operation for Delete {
    const NAME: &'static str = "group_delete";
    const META: OpMeta = OpMeta { events: &["group.deleted"], ..meta("Remove a group", EffectClass::Delete) };
    type Out = GroupView;

    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<GroupView>, OpError> {
        let who = standing::known(tx, cx)?.standing;
        account(&who, "removing a group")?;
        let held = own(tx, &who, self.group.as_str())?;
        remove(tx, &held.record.id)?;
        Ok(Step::Done(GroupView::new(&held.record.id, &held.content)))
    }
}

/// Removes a group with what was given to it.
pub(super) fn remove(tx: &mut Tx<'_>, id: &str) -> Result<(), OpError> {
    forget(tx, &Party::Group(id.to_owned()))?;
    tx.delete::<Group>(id)?;
    Ok(())
}

/// Add a member to a group: a user by address or id, also one who is not known yet, a key, or a delegate.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Add {
    /// Name or id
    pub group: Word,
    /// E-mail address, user:ID, key:ID or delegate:ID
    pub member: Word,
}

impl Operation for Add {
    const NAME: &'static str = "group_add";
    const META: OpMeta =
        OpMeta { events: &["group.updated"], idempotent: true, ..meta("Add to a group", EffectClass::Update) };
    type Out = GroupView;

    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<GroupView>, OpError> {
        let who = standing::known(tx, cx)?.standing;
        account(&who, "changing a group")?;
        let held = own(tx, &who, self.group.as_str())?;
        let member = somebody(tx, "member", self.member.as_str())?;
        if matches!(member, Party::Group(_) | Party::Public) {
            let rule = "members are users, addresses, keys and delegates, not groups";
            return Err(OpError::invalid("member", rule, self.member.as_str()));
        }
        let mut group = held.content;
        if group.left.contains(&member) {
            return Err(OpError::PermissionDenied {
                what: format!("putting somebody into group \"{}\" who has left it", group.name),
                remedy: format!(
                    "They allow it themselves, with group_leave of {} and may_return: ask them",
                    held.record.id
                ),
            });
        }
        if !group.members.contains(&member) {
            let groups = standing::groups_of(tx, &member)?;
            check_size(group.members.len() + group.left.len(), groups.len())?;
            quota::membership(tx, &group.owner, &groups)?;
            group.members.push(member);
            tx.put(&held.record.id, &group, None)?;
        }
        Ok(Step::Done(GroupView::new(&held.record.id, &group)))
    }
}

/// Whether a group with so many members takes one more, who is in so many groups.
fn check_size(members: usize, groups: usize) -> Result<(), OpError> {
    let (most, most_groups) = (limits::GROUP_MEMBERS, limits::GROUPS_OF_MEMBER);
    if members < most && groups < most_groups {
        return Ok(());
    }
    let rule = format!(
        "a group has at most {most} members, with those who have left it, and a member is in at most {most_groups} \
         groups, which they leave with group_leave"
    );
    Err(OpError::invalid("member", rule, ""))
}

/// Takes somebody who is no more out of every group.
pub(super) fn leave_all(tx: &mut Tx<'_>, member: &Party) -> Result<(), OpError> {
    let key = member.to_string();
    let left = tx.scan_index::<Group>(kind::GROUP_LEFT, key.as_bytes(), &IdRange::all(), limits::ACCESS_RECORDS)?;
    let left = left.into_iter().map(|held| held.record.id);
    for id in standing::groups_of(tx, member)?.into_iter().chain(left) {
        let Some(held) = tx.get::<Group>(&id)? else { continue };
        let mut group = held.content;
        group.members.retain(|each| each != member);
        group.left.retain(|each| each != member);
        tx.put(&id, &group, None)?;
    }
    Ok(())
}

/// Leave a group that somebody has put the caller's user into; what they had through it is gone at once, and nobody can
/// put them back until they call it again with may_return.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Leave {
    /// Id of the group
    pub group: Word,
    /// They can be put into it again, default false
    #[serde(default)]
    pub may_return: Option<bool>,
}

impl Operation for Leave {
    const NAME: &'static str = "group_leave";
    const META: OpMeta = OpMeta { events: &["group.updated"], ..meta("Leave a group", EffectClass::Delete) };
    type Out = GroupView;

    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<GroupView>, OpError> {
        let who = standing::known(tx, cx)?.standing;
        account(&who, "leaving a group")?;
        let id = self.group.as_str().strip_prefix("group:").unwrap_or(self.group.as_str());
        let themselves =
            |member: &Party| matches!(member, Party::User(_) | Party::Email(_)) && who.parties.contains(member);
        let may_return = self.may_return == Some(true);
        let is_theirs =
            |group: &Group| group.members.iter().any(themselves) || (may_return && group.left.iter().any(themselves));
        let held = tx.get::<Group>(id)?.filter(|held| is_theirs(&held.content));
        let mut group = held.ok_or_else(|| absent("group", id, "group_list with joined"))?.content;
        group.members.retain(|member| !themselves(member));
        group.left.retain(|user| !themselves(user));
        if !may_return {
            group.left.push(Party::User(who.user.clone()));
        }
        tx.put(id, &group, None)?;
        // Who else is in it is its owner's to know.
        Ok(Step::Done(GroupView::new(id, &Group { members: Vec::new(), ..group })))
    }
}

/// Take a member out of a group; what they had through it is gone at once.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Remove {
    /// Name or id
    pub group: Word,
    /// E-mail address, user:ID, key:ID or delegate:ID
    pub member: Word,
}

impl Operation for Remove {
    const NAME: &'static str = "group_remove";
    const META: OpMeta = OpMeta { events: &["group.updated"], ..meta("Take out of a group", EffectClass::Delete) };
    type Out = GroupView;

    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<GroupView>, OpError> {
        let who = standing::known(tx, cx)?.standing;
        account(&who, "changing a group")?;
        let held = own(tx, &who, self.group.as_str())?;
        let given = self.member.as_str();
        let meant = Party::parse(given);
        // One who was added by address before they were known stands there by it.
        let by_address = match &meant {
            Some(Party::Email(email)) => users::by_email(tx, email)?.map(|held| Party::User(held.record.id)),
            _ => None,
        };
        let mut group = held.content;
        let before = group.members.len();
        group.members.retain(|member| Some(member) != meant.as_ref() && Some(member) != by_address.as_ref());
        if group.members.len() == before {
            return Err(absent("member", given, "group_list"));
        }
        tx.put(&held.record.id, &group, None)?;
        Ok(Step::Done(GroupView::new(&held.record.id, &group)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_a_thousand_members_and_a_member_a_thousand_groups() {
        let (members, groups) = (limits::GROUP_MEMBERS, limits::GROUPS_OF_MEMBER);
        assert!(check_size(members - 1, groups - 1).is_ok());
        assert_eq!(check_size(members, 0).unwrap_err().code(), "invalid_argument");
        assert_eq!(check_size(0, groups).unwrap_err().code(), "invalid_argument");
    }
}
