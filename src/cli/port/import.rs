//! `mindcache import`: keys of a file become keys of an instance.
//!
//! A file is read twice: nothing is imported of one that is wrong anywhere. A small one, and one that replaces, is one
//! change; a larger one is a change for each hundred keys.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::{
    derive::archive,
    model::{
        error::{OpError, Reason},
        instance::InstanceRef,
        limits,
        portable::{Item, Portable},
    },
    ops::{
        instances::restore::Keys,
        operation::{Reply, parse},
        port::{Counts, TURN_BYTES, TURN_KEYS},
    },
};

use super::{
    super::{
        Session,
        output::{Failure, Output},
        progress::{Progress, Unit},
    },
    input::{Format, Input},
    plan::{self, Plan},
};

/// `import`.
#[derive(Debug, Args)]
pub(in crate::cli) struct ImportArgs {
    /// A file, or a folder of Markdown notes
    file: PathBuf,
    /// What it is [default: told from what is in it]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Remove the keys that are not in it, all as one change
    #[arg(long)]
    replace: bool,
    /// Only show what would change: + new, ~ changed, - removed
    #[arg(long)]
    dry_run: bool,
}

/// How often large values are placed that upkeep takes away before they are named.
const TRIES: usize = 3;

/// Imports a file: into the instance of the command, or, of an archive of a whole store, into those that it names.
pub(in crate::cli) async fn import(args: ImportArgs, session: &Session, output: &Output) -> Result<(), Failure> {
    let input = Input::open(&args.file, args.format)?;
    let Some(instances) = input.instances()? else {
        let plan = Plan::of(&input, 1)?;
        session.begin().await?;
        session.kernel.resolve(&session.caller, &session.instance)?;
        return one(&args, &input, &plan, session, output).await;
    };
    // All of it is looked at before any instance is changed.
    let mut plans = Vec::new();
    for (index, instance) in instances.iter().enumerate() {
        let on = session.on(InstanceRef::parse(&instance.name)?);
        check_origin(instance)?;
        plans.push((on, Plan::of(&input, index + 1)?, instance));
    }
    for (session, plan, instance) in plans {
        if !output.is_json() {
            output.line(&format!("Instance \"{}\":", instance.name))?;
        }
        let is_there = session.kernel.locate(&session.caller, &session.instance).is_ok();
        if is_there && instance.origin.read_only {
            if !output.is_json() {
                output.line("It is there, and in the archive nothing may be written to it: left as it is.")?;
            }
            continue;
        }
        if !args.dry_run && !is_there {
            make(instance, &session).await?;
        }
        one(&args, &input, &plan, &session, output).await?;
        if !args.dry_run && instance.origin.read_only {
            let which = parse(json!(instance.name))?;
            session.kernel.close(&session.caller, &which, instance.origin.snapshot).await?;
        }
    }
    Ok(())
}

/// Refuses what no instance can be.
fn check_origin(instance: &archive::Instance) -> Result<(), OpError> {
    let note = instance.origin.note.as_deref().unwrap_or_default();
    if note.chars().count() > limits::NOTE_CHARACTERS {
        return Err(OpError::invalid("note", format!("a note has at most {} characters", limits::NOTE_CHARACTERS), ""));
    }
    instance.origin.parent.as_deref().map_or(Ok(()), |parent| InstanceRef::parse(parent).map(drop))
}

/// Makes the instance, as a copy of its parent where that is there.
async fn make(instance: &archive::Instance, session: &Session) -> Result<(), Failure> {
    let parent = match &instance.origin.parent {
        Some(name) => session.kernel.resolve(&session.caller, &InstanceRef::parse(name)?).ok(),
        None => None,
    };
    let name = parse(json!(instance.name))?;
    Ok(session.kernel.recreate(&session.caller, name, parent, instance.origin.note.clone()).await?)
}

/// Imports into one instance.
async fn one(args: &ImportArgs, input: &Input, plan: &Plan, session: &Session, output: &Output) -> Result<(), Failure> {
    if args.dry_run {
        let counts = plan::show(plan, input, args.replace, session, output)?;
        return if output.is_json() { Ok(()) } else { tell(&counts, plan, true, output) };
    }
    let counts =
        if args.replace { replace(input, plan, session).await? } else { merge(input.clone(), plan, session).await? };
    if output.is_json() {
        let mut result = json!({"dry_run": false});
        add_counts(&mut result, &counts, plan);
        return output.structured(&result);
    }
    tell(&counts, plan, false, output)
}

fn tell(counts: &Counts, plan: &Plan, is_dry: bool, output: &Output) -> Result<(), Failure> {
    for (name, why) in &plan.left_out {
        output.line(&format!("Left out {}: {why}", Value::from(name.as_str())))?;
    }
    let Counts { created, updated, deleted, unchanged, expired } = counts;
    let dry = if is_dry { "DRY RUN, nothing was changed. " } else { "" };
    let expired = if *expired > 0 { format!(", expired before they came: {expired}") } else { String::new() };
    output.line(&format!(
        "{dry}Keys created: {created}, updated: {updated}, deleted: {deleted}, unchanged: {unchanged}{expired}."
    ))
}

/// Adds to a result what became of the keys.
pub(super) fn add_counts(result: &mut Value, counts: &Counts, plan: &Plan) {
    let Some(result) = result.as_object_mut() else { return };
    if let Ok(Value::Object(counts)) = serde_json::to_value(counts) {
        result.extend(counts);
    }
    let left_out = plan.left_out.iter().map(|(name, why)| json!({"key": name, "why": why})).collect();
    result.insert("left_out".into(), Value::Array(left_out));
}

/// Brings the keys in beside those that are there.
async fn merge(input: Input, plan: &Plan, session: &Session) -> Result<Counts, Failure> {
    let progress = Progress::new("import", Unit::Keys);
    let mut counts = Counts::default();
    // One turn is read while the one before it is written.
    let (sender, mut turns) = mpsc::channel(1);
    let number = plan.number;
    let reading = tokio::task::spawn_blocking(move || read_turns(&input, number, &sender));
    let mut left = plan.keys();
    while let Some(turn) = turns.recv().await {
        let turn: Vec<Portable> = turn;
        let keys = turn.len();
        left = left.saturating_sub(keys);
        add(&mut counts, session.kernel.merge(&session.caller, &session.instance, turn).await?)?;
        progress.add(keys as u64);
    }
    reading.await.map_err(anyhow::Error::from)??;
    if left > 0 {
        return Err(Failure::Other(anyhow::anyhow!("the file was changed while it was read; {left} keys are missing")));
    }
    Ok(counts)
}

fn read_turns(input: &Input, number: usize, sender: &mpsc::Sender<Vec<Portable>>) -> Result<(), OpError> {
    let (mut turn, mut bytes) = (Vec::new(), 0);
    let send = |turn: Vec<Portable>| {
        // Who does not take it any more has failed, and says why.
        sender.blocking_send(turn).map_err(|_| OpError::invalid("import", "it was stopped", ""))
    };
    input.read(number, &mut |item| {
        let Item::Key(key) = item else { return Ok(()) };
        bytes += key.weight();
        turn.push(*key);
        if turn.len() < TURN_KEYS && bytes < TURN_BYTES {
            return Ok(());
        }
        bytes = 0;
        send(std::mem::take(&mut turn))
    })?;
    if turn.is_empty() { Ok(()) } else { send(turn) }
}

fn add(counts: &mut Counts, reply: Reply) -> Result<(), OpError> {
    let more: Counts = parse(reply.result)?;
    counts.created += more.created;
    counts.updated += more.updated;
    counts.deleted += more.deleted;
    counts.unchanged += more.unchanged;
    counts.expired += more.expired;
    Ok(())
}

/// Makes the instance hold exactly the keys of the file, in one change.
async fn replace(input: &Input, plan: &Plan, session: &Session) -> Result<Counts, Failure> {
    let mut tries = 0;
    loop {
        let progress = Progress::new("import", Unit::Keys);
        let mut keys = Keys::default();
        input.read(plan.number, &mut |item| {
            let Item::Key(key) = item else { return Ok(()) };
            let placed = session.kernel.place(&session.caller, &session.instance, &key)?;
            keys.insert(key.name.to_string(), placed, key.expires_at);
            progress.add(1);
            Ok(())
        })?;
        tries += 1;
        match session.kernel.replace(&session.caller, &session.instance, keys).await {
            Err(OpError::Unavailable { reason: Reason::Damaged, .. }) if tries < TRIES => {}
            reply => {
                let mut counts = Counts::default();
                add(&mut counts, reply?)?;
                return Ok(counts);
            }
        }
    }
}
