//! `mindcache instance …`: commands on whole instances.

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use crate::ops::{
    instances::{
        Create,
        catalog::{List, Rename},
        copies::{Duplicate, Snapshot},
        restore::Restore,
        state::{Delete, SetReadOnly, Undelete},
    },
    operation::Operation as _,
    procedure::Arguments as _,
};

use super::{
    Session, complete, diff,
    output::{Failure, Output},
};

/// `instance`.
#[derive(Debug, Args)]
pub(super) struct InstanceArgs {
    #[command(subcommand)]
    command: InstanceCommand,
}

#[derive(Debug, Subcommand)]
enum InstanceCommand {
    /// Make an empty instance
    Create {
        /// Its name
        name: String,
    },
    /// List the instances: name, id, and what each is
    List {
        /// Also those that were deleted in the last 7 days
        #[arg(long)]
        deleted: bool,
    },
    /// Give an instance another name
    Rename {
        /// Name or id
        #[arg(value_name = "INSTANCE", add = complete::instances())]
        which: String,
        /// The new name
        name: String,
    },
    /// Delete an instance; for 7 days it can be brought back
    Delete {
        /// Name or id
        #[arg(value_name = "INSTANCE", add = complete::instances())]
        which: String,
    },
    /// Bring a deleted instance back
    Undelete {
        /// Name or id
        #[arg(value_name = "INSTANCE", add = complete::instances())]
        which: String,
    },
    /// Copy an instance, whole or only some of its keys
    Clone {
        /// Name or id
        #[arg(value_name = "INSTANCE", add = complete::instances())]
        which: String,
        /// Name of the copy
        name: String,
        /// Only keys with this content tag, without history
        #[arg(long)]
        tag: Option<String>,
        /// Only keys whose names begin so, without history
        #[arg(long)]
        prefix: Option<String>,
    },
    /// Keep an instance as it is now, read-only
    Snapshot {
        /// Name or id [default: that of --instance]
        #[arg(value_name = "INSTANCE", add = complete::instances())]
        which: Option<String>,
        /// What it is taken for
        #[arg(long)]
        note: Option<String>,
    },
    /// Make the keys of an instance those of a snapshot
    Restore {
        /// Name or id of the instance that is changed
        #[arg(value_name = "INSTANCE", add = complete::instances())]
        which: String,
        /// Name or id of the snapshot
        #[arg(add = complete::instances())]
        snapshot: String,
    },
    /// Show which keys two instances do not have alike
    Diff {
        /// Name or id of the instance to start from
        #[arg(add = complete::instances())]
        from: String,
        /// Name or id of the one to compare with it
        #[arg(add = complete::instances())]
        to: String,
        /// Also show what is different in each key
        #[arg(long)]
        values: bool,
    },
    /// Close an instance for writing
    ReadOnly {
        /// Name or id
        #[arg(value_name = "INSTANCE", add = complete::instances())]
        which: String,
        /// Open it again
        #[arg(long)]
        off: bool,
    },
}

/// Does one of them.
pub(super) async fn run(args: InstanceArgs, session: &Session, output: &Output) -> Result<(), Failure> {
    use InstanceCommand as Command;
    let (operation, call) = match args.command {
        Command::List { deleted } => {
            let call = Map::from_iter([("deleted".to_owned(), deleted.into())]);
            return session.print_all(List::NAME, call, line, output).await;
        }
        Command::Diff { from, to, values } => return diff::instances((from, to), values, session, output).await,
        Command::Create { name } => (Create::NAME, json!({ "name": name })),
        Command::Rename { which, name } => (Rename::NAME, json!({"instance": which, "name": name})),
        Command::Delete { which } => (Delete::NAME, json!({ "instance": which })),
        Command::Undelete { which } => (Undelete::NAME, json!({ "instance": which })),
        Command::Clone { which, name, tag, prefix } => {
            let call = json!({"instance": which, "name": name, "tag": tag, "prefix": prefix});
            (Duplicate::NAME, call)
        }
        Command::Snapshot { which, note } => {
            let which = if let Some(which) = which {
                which
            } else {
                session.begin().await?;
                session.kernel.resolve(&session.caller, &session.instance)?.to_string()
            };
            (Snapshot::NAME, json!({"instance": which, "note": note}))
        }
        Command::Restore { which, snapshot } => (Restore::NAME, json!({"instance": which, "snapshot": snapshot})),
        Command::ReadOnly { which, off } => (SetReadOnly::NAME, json!({"instance": which, "read_only": !off})),
    };
    output.reply(&session.execute(operation, call).await?)
}

/// Name, id and what it is, divided by tabs.
fn line(instance: &Value) -> String {
    let text = |name: &str| instance.get(name).and_then(Value::as_str);
    let mut parts = vec![text("name").unwrap_or_default().to_owned(), text("id").unwrap_or_default().to_owned()];
    if instance.get("read_only").and_then(Value::as_bool) == Some(true) {
        parts.push("read-only".into());
    }
    parts.extend(text("deleted_at").map(|at| format!("deleted {at}")));
    parts.extend(text("parent").map(|parent| format!("of {parent}")));
    // A note is anybody's text: it stays on its line.
    parts.extend(text("note").map(|note| note.replace(char::is_control, " ")));
    parts.join("\t")
}
