//! `key`, `share`, `project`, `group`, `user`, `delegate`, `access`: people and rights, as the user of this machine.

mod trail;

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use crate::{
    model::instance::InstanceRef,
    ops::{
        access::{delegates, groups, keys, projects, shares, users},
        operation::Operation as _,
        procedure::Arguments as _,
    },
};

use super::{
    Session,
    output::{Failure, Output},
};

/// Milliseconds of a day.
const DAY_MS: u64 = 24 * 3600 * 1000;

/// The commands about people and rights.
#[derive(Debug, Subcommand)]
pub(super) enum AccessCommand {
    /// Make, list and revoke API keys
    Key(Of<KeyCommand>),
    /// Give an instance (-i) or a project to others, and take it back
    Share(Of<ShareCommand>),
    /// Make, list, rename and remove projects
    Project(Of<ProjectCommand>),
    /// Make groups, and put members into them
    Group(Of<GroupCommand>),
    /// Make, list and remove users
    User(Of<UserCommand>),
    /// Make, list and remove delegates: identities of agents
    Delegate(Of<DelegateCommand>),
    /// Show who changed which rights
    Access(Of<trail::TrailCommand>),
}

/// One of several commands.
#[derive(Debug, Args)]
pub(super) struct Of<C: Subcommand> {
    #[command(subcommand)]
    command: C,
}

#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Make an API key, and print it: this once
    Create {
        /// What it is for
        name: String,
        /// How far it reaches: account, project:NAME, instance:NAME; several times for several [default: account]
        #[arg(long = "scope", value_name = "SCOPE")]
        scopes: Vec<String>,
        /// What it may be used for: read, write, admin, spend [default: read,write]
        #[arg(long = "permission", value_name = "A,B", value_delimiter = ',')]
        permissions: Vec<String>,
        /// A model's client uses it, not a program
        #[arg(long)]
        agent: bool,
        /// Days until it ends [default: never]
        #[arg(long, value_name = "N")]
        days: Option<u64>,
        /// Whose it is, by id or e-mail address [default: whose the server is]
        #[arg(long)]
        user: Option<String>,
    },
    /// List the API keys, without what they are
    List,
    /// Revoke an API key
    Revoke {
        /// Its id
        id: String,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum ShareCommand {
    /// Give the instance, or a project, to somebody
    Add {
        /// E-mail address, user:ID, group:NAME, key:ID, delegate:ID or public
        with: String,
        /// read, write or admin
        permission: String,
        /// Give this project instead, with all its instances
        #[arg(long)]
        project: Option<String>,
    },
    /// List to whom the instance, or a project, was given
    List {
        /// Of this project instead
        #[arg(long)]
        project: Option<String>,
    },
    /// Take back what was given
    Remove {
        /// Id of the share
        id: String,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum ProjectCommand {
    /// Make a project
    Create {
        /// Its name
        name: String,
        /// What it is for
        #[arg(long)]
        description: Option<String>,
    },
    /// List the projects
    List,
    /// Give a project another name
    Rename {
        /// Name or id
        project: String,
        /// The new name
        name: String,
    },
    /// Remove a project that has no instances
    Delete {
        /// Name or id
        project: String,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum GroupCommand {
    /// Make a group
    Create {
        /// Its name
        name: String,
    },
    /// List the groups with their members
    List,
    /// Remove a group
    Delete {
        /// Name or id
        group: String,
    },
    /// Add a member
    Add {
        /// Name or id of the group
        group: String,
        /// E-mail address, user:ID, key:ID or delegate:ID
        member: String,
    },
    /// Take a member out
    Remove {
        /// Name or id of the group
        group: String,
        /// E-mail address, user:ID, key:ID or delegate:ID
        member: String,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// Make a user
    Create {
        /// E-mail address
        email: String,
        /// What they are called
        #[arg(long)]
        name: Option<String>,
    },
    /// List the users
    List,
    /// Remove a user with their keys, delegates and groups
    Delete {
        /// Id or e-mail address
        user: String,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum DelegateCommand {
    /// Make a delegate; it may do nothing until something is shared with it
    Create {
        /// What it is called
        name: String,
        /// The most that it may do anywhere: read, write or admin
        #[arg(long, default_value = "read")]
        permission: String,
        /// Days until it ends [default: never]
        #[arg(long, value_name = "N")]
        days: Option<u64>,
    },
    /// List the delegates
    List,
    /// Remove a delegate with its secrets
    Delete {
        /// Its id
        delegate: String,
    },
    /// Give a delegate one more secret, and print it: this once
    Secret {
        /// Id of the delegate
        delegate: String,
        /// What it is for
        #[arg(long)]
        name: Option<String>,
    },
    /// List the secrets of a delegate, without what they are
    Secrets {
        /// Id of the delegate
        delegate: String,
    },
    /// Revoke one secret
    Revoke {
        /// Id of the delegate
        delegate: String,
        /// Id of the secret
        id: String,
    },
}

/// Does one of them.
pub(super) async fn run(command: AccessCommand, session: &Session, output: &Output) -> Result<(), Failure> {
    let (operation, args) = match command {
        AccessCommand::Access(of) => return trail::run(of.command, session, output).await,
        AccessCommand::Key(of) => key(of.command),
        AccessCommand::Share(of) => share(of.command, session).await?,
        AccessCommand::Project(of) => project(of.command),
        AccessCommand::Group(of) => group(of.command),
        AccessCommand::User(of) => user(of.command),
        AccessCommand::Delegate(of) => delegate(of.command),
    };
    let args = args.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
    show(operation, args.map(|(name, value)| (name.clone(), value.clone())).collect(), session, output).await
}

fn ends(days: Option<u64>) -> Option<u64> {
    days.map(|days| days.saturating_mul(DAY_MS))
}

fn some(list: Vec<String>) -> Option<Vec<String>> {
    Some(list).filter(|list| !list.is_empty())
}

fn key(command: KeyCommand) -> (&'static str, Value) {
    match command {
        KeyCommand::Create { name, scopes, permissions, agent, days, user } => {
            let kind = agent.then_some("agent");
            let (scopes, permissions, ends) = (some(scopes), some(permissions), ends(days));
            let args = json!({
                "name": name, "scopes": scopes, "permissions": permissions, "kind": kind, "expires_in_ms": ends,
                "user": user,
            });
            (keys::Create::NAME, args)
        }
        KeyCommand::List => (keys::List::NAME, json!({})),
        KeyCommand::Revoke { id } => (keys::Revoke::NAME, json!({ "id": id })),
    }
}

async fn share(command: ShareCommand, session: &Session) -> Result<(&'static str, Value), Failure> {
    let on = match &command {
        ShareCommand::Add { project: Some(_), .. }
        | ShareCommand::List { project: Some(_) }
        | ShareCommand::Remove { .. } => None,
        _ => {
            session.begin().await?;
            Some(match &session.instance {
                InstanceRef::Id(id) => id.to_string(),
                InstanceRef::Name(name) => name.clone(),
            })
        }
    };
    Ok(match command {
        ShareCommand::Add { with, permission, project } => {
            let args = json!({"instance": on, "project": project, "with": with, "permission": permission});
            (shares::Create::NAME, args)
        }
        ShareCommand::List { project } => (shares::List::NAME, json!({"instance": on, "project": project})),
        ShareCommand::Remove { id } => (shares::Remove::NAME, json!({ "id": id })),
    })
}

fn project(command: ProjectCommand) -> (&'static str, Value) {
    match command {
        ProjectCommand::Create { name, description } => {
            (projects::Create::NAME, json!({"name": name, "description": description}))
        }
        ProjectCommand::List => (projects::List::NAME, json!({})),
        ProjectCommand::Rename { project, name } => (projects::Update::NAME, json!({"project": project, "name": name})),
        ProjectCommand::Delete { project } => (projects::Delete::NAME, json!({ "project": project })),
    }
}

fn group(command: GroupCommand) -> (&'static str, Value) {
    match command {
        GroupCommand::Create { name } => (groups::Create::NAME, json!({ "name": name })),
        GroupCommand::List => (groups::List::NAME, json!({})),
        GroupCommand::Delete { group } => (groups::Delete::NAME, json!({ "group": group })),
        GroupCommand::Add { group, member } => (groups::Add::NAME, json!({"group": group, "member": member})),
        GroupCommand::Remove { group, member } => (groups::Remove::NAME, json!({"group": group, "member": member})),
    }
}

fn user(command: UserCommand) -> (&'static str, Value) {
    match command {
        UserCommand::Create { email, name } => (users::Create::NAME, json!({"email": email, "name": name})),
        UserCommand::List => (users::List::NAME, json!({})),
        UserCommand::Delete { user } => (users::Delete::NAME, json!({ "user": user })),
    }
}

fn delegate(command: DelegateCommand) -> (&'static str, Value) {
    match command {
        DelegateCommand::Create { name, permission, days } => {
            let args = json!({"name": name, "permission": permission, "expires_in_ms": ends(days)});
            (delegates::Create::NAME, args)
        }
        DelegateCommand::List => (delegates::List::NAME, json!({})),
        DelegateCommand::Delete { delegate } => (delegates::Delete::NAME, json!({ "delegate": delegate })),
        DelegateCommand::Secret { delegate, name } => {
            (delegates::CreateSecret::NAME, json!({"delegate": delegate, "name": name}))
        }
        DelegateCommand::Secrets { delegate } => (delegates::ListSecrets::NAME, json!({ "delegate": delegate })),
        DelegateCommand::Revoke { delegate, id } => {
            (delegates::RevokeSecret::NAME, json!({"delegate": delegate, "id": id}))
        }
    }
}

/// What answers with a list.
const LISTS: [&str; 7] = [
    keys::List::NAME,
    shares::List::NAME,
    projects::List::NAME,
    groups::List::NAME,
    users::List::NAME,
    delegates::List::NAME,
    delegates::ListSecrets::NAME,
];

/// Calls it and prints what it says: a secret alone on its line, a list as a line a thing, all pages.
async fn show(
    operation: &'static str,
    args: Map<String, Value>,
    session: &Session,
    output: &Output,
) -> Result<(), Failure> {
    if LISTS.contains(&operation) {
        return session.print_all(operation, args, line, output).await;
    }
    let reply = session.execute(operation, Value::Object(args)).await?;
    match reply.result.get("secret").and_then(Value::as_str) {
        Some(secret) if !output.is_json() => output.line(secret),
        _ => output.reply(&reply),
    }
}

/// What people look for first, then the rest, divided by tabs.
fn line(thing: &Value) -> String {
    const FIRST: [&str; 6] = ["name", "email", "id", "with", "permission", "role"];
    let members = thing.as_object().into_iter().flatten();
    let (mut parts, mut rest) = (Vec::new(), Vec::new());
    for (name, value) in members {
        let text = match value {
            Value::String(text) => text.replace(char::is_control, " "),
            Value::Array(items) => {
                let items = items.iter().map(|item| item.as_str().unwrap_or_default().replace(char::is_control, " "));
                items.collect::<Vec<_>>().join(",")
            }
            other => other.to_string().replace(char::is_control, " "),
        };
        match FIRST.iter().position(|first| first == name) {
            Some(at) => parts.push((at, text)),
            None => rest.push(format!("{name}={text}")),
        }
    }
    parts.sort();
    parts.into_iter().map(|(_, text)| text).chain(rest).collect::<Vec<_>>().join("\t")
}
