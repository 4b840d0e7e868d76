//! The first reading of a file: that all of it can be imported, and what it would change.

use std::{cell::RefCell, collections::HashSet};

use serde_json::{Value, json};

use crate::{
    model::{
        error::OpError,
        key::{Key, KeyName},
        portable::{Item, Portable},
    },
    ops::port::{self, Counts, Fate},
};

use super::{
    super::{
        Session,
        output::{Failure, Output},
        progress::{Progress, Unit},
    },
    input::Input,
};

/// What a file holds.
pub(super) struct Plan {
    /// Which instance of an archive.
    pub(super) number: usize,
    names: HashSet<KeyName>,
    /// What cannot be a key here, and why.
    pub(super) left_out: Vec<(String, String)>,
}

impl Plan {
    /// Reads a file to its end. Errors: what of it is wrong, and where; nothing of it may be imported then.
    pub(super) fn of(input: &Input, number: usize) -> Result<Self, OpError> {
        let progress = Progress::new("check", Unit::Keys);
        let mut plan = Self { number, names: HashSet::new(), left_out: Vec::new() };
        input.read(number, &mut |item| {
            progress.add(1);
            plan.take(item)
        })?;
        Ok(plan)
    }

    fn take(&mut self, item: Item) -> Result<(), OpError> {
        match item {
            Item::Key(key) => {
                let within = |error: OpError| {
                    let why = error.without_quote();
                    OpError::invalid(format!("key \"{}\"", key.name), why.to_string(), "")
                };
                port::check(&key).map_err(within)?;
                if !self.names.insert(key.name.clone()) {
                    return Err(OpError::invalid(format!("key \"{}\"", key.name), "the file has it twice", ""));
                }
            }
            Item::LeftOut { name, why } => self.left_out.push((name, why)),
        }
        Ok(())
    }

    /// How many keys it has.
    pub(super) fn keys(&self) -> usize {
        self.names.len()
    }
}

/// What an import would change, a line a key: `+` is new, `~` becomes another, `-` goes.
pub(super) fn show(
    plan: &Plan,
    input: &Input,
    is_replaced: bool,
    session: &Session,
    output: &Output,
) -> Result<Counts, Failure> {
    let progress = Progress::new("compare", Unit::Keys);
    let mut counts = Counts::default();
    let changes: RefCell<Vec<Value>> = RefCell::default();
    let tell = |sign: char, change: &str, name: &str| {
        if output.is_json() {
            changes.borrow_mut().push(json!({"key": name, "change": change}));
            return Ok(());
        }
        output.line(&format!("{sign} {name}"))
    };
    let mut failed = None;
    let read = input.read(plan.number, &mut |item| {
        let Item::Key(key) = item else { return Ok(()) };
        let fate = fate(session, &key)?;
        counts.add(fate);
        progress.add(1);
        let told = match fate {
            Fate::Created => tell('+', "created", key.name.as_str()),
            Fate::Updated => tell('~', "updated", key.name.as_str()),
            Fate::Unchanged | Fate::Expired => Ok(()),
        };
        told.map_err(|failure| {
            failed = Some(failure);
            OpError::invalid("output", "it is closed", "")
        })
    });
    if let Some(failure) = failed {
        return Err(failure);
    }
    read?;
    if is_replaced {
        for name in others(plan, session)? {
            counts.deleted += 1;
            tell('-', "deleted", &name)?;
        }
    }
    if output.is_json() {
        let mut result = json!({"dry_run": true, "changes": changes.into_inner()});
        super::import::add_counts(&mut result, &counts, plan);
        output.structured(&result)?;
    }
    Ok(counts)
}

fn fate(session: &Session, key: &Portable) -> Result<Fate, OpError> {
    match session.kernel.derive(&session.caller, &session.instance, |tx, cx| port::fate(tx, cx, key)) {
        // An instance that the import would make.
        Err(OpError::NotFound { .. }) => Ok(Fate::Created),
        fate => fate,
    }
}

/// The keys of the instance that are not in the file.
fn others(plan: &Plan, session: &Session) -> Result<Vec<String>, OpError> {
    let others = session.kernel.derive(&session.caller, &session.instance, |tx, _| {
        let mut others = Vec::new();
        tx.each::<Key, OpError>(|held| {
            let name = held.record.id;
            if KeyName::parse(name.as_str()).is_ok_and(|name| !plan.names.contains(&name)) {
                others.push(name);
            }
            Ok(())
        })?;
        Ok(others)
    });
    match others {
        Err(OpError::NotFound { .. }) => Ok(Vec::new()),
        others => others,
    }
}
