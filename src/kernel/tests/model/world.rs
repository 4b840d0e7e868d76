//! All instances as the model sees them, and the catalog that lists them.

use std::{collections::BTreeSet, fmt};

use serde_json::{Value, json};

use super::{
    keys::forget_older,
    reads,
    state::{Hand, Instance, Mode, Refusal, Thing, Turn, refuse, time},
    turns,
};

type Outcome = Result<Value, Refusal>;

/// How long a deleted instance can be brought back.
pub(super) const GRACE_MS: i64 = 7 * 24 * 3600 * 1000;

/// An instance with its line in the catalog.
#[derive(Debug, Clone, Default)]
pub(super) struct Listed {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) parent: Option<String>,
    pub(super) note: Option<String>,
    pub(super) read_only: bool,
    /// It has not been written to since it was taken.
    pub(super) is_snapshot: bool,
    pub(super) deleted_at: Option<i64>,
    pub(super) state: Instance,
}

impl Listed {
    fn shown(&self) -> Value {
        let mut shown = json!({"id": self.id, "name": self.name, "read_only": self.read_only});
        if let Some(parent) = &self.parent {
            shown["parent"] = parent.as_str().into();
        }
        if let Some(note) = &self.note {
            shown["note"] = note.as_str().into();
        }
        shown
    }

    fn is_over(&self, now: i64) -> bool {
        self.deleted_at.is_some_and(|at| at + GRACE_MS <= now)
    }

    /// As the number in the store.
    pub(super) fn access(&self) -> u8 {
        if self.deleted_at.is_some() { 2 } else { u8::from(self.read_only) }
    }

    pub(super) fn is_open(&self) -> bool {
        self.access() == 0
    }
}

/// Who calls, and with how much.
#[derive(Debug, Clone)]
pub(super) struct Who {
    pub(super) hand: Hand,
    pub(super) mode: Mode,
}

/// A call as the engine gets it.
#[derive(Clone)]
pub(super) struct Call {
    pub(super) who: Who,
    /// Name or id.
    pub(super) target: String,
    pub(super) operation: String,
    pub(super) args: Value,
    pub(super) once: Option<String>,
}

/// A line, without the length of large values.
impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Who { hand, mode } = &self.who;
        let args: String = self.args.to_string().chars().take(600).collect();
        let by = format!("{} {} in {mode:?}", hand.client, hand.run);
        write!(f, "{by}, instance {}: {} {args} once {:?}", self.target, self.operation, self.once)
    }
}

#[derive(Debug, Clone, Default)]
pub(super) struct World {
    pub(super) instances: Vec<Listed>,
    /// Of the catalog: no turn of it runs before this.
    pub(super) clock: i64,
    /// Of this machine.
    pub(super) wall: i64,
}

impl World {
    /// Does a call. `answered` is what the engine answered: it tells the id of a new instance, and what is kept.
    pub(super) fn execute(&mut self, call: &Call, answered: &Value) -> Outcome {
        if call.who.mode < turns::least_mode(&call.operation) {
            return refuse("permission_denied");
        }
        if call.operation == "purge_key" {
            return self.purge(call);
        }
        if call.operation.starts_with("instance_") {
            return self.on_instances(call, answered);
        }
        let at = self.find(&call.target)?;
        turns::check_arguments(&call.args)?;
        self.check_access(at, &call.operation)?;
        let mut turn = self.turn(at, call);
        if turns::is_read(&call.operation) {
            return turns::apply(&mut turn, &call.operation, &call.args);
        }
        let result = match &call.once {
            Some(key) => turns::once(&mut turn, &call.operation, &call.args, key, answered)?,
            None => turns::apply(&mut turn, &call.operation, &call.args)?,
        };
        self.instances[at].state = turn.commit();
        Ok(result)
    }

    /// What a wait would answer now.
    pub(super) fn waited(&self, call: &Call, since: u64) -> Outcome {
        let at = self.find(&call.target)?;
        turns::check_arguments(&call.args)?;
        self.check_access(at, &call.operation)?;
        Ok(reads::waited(&self.turn(at, call), &call.args, since))
    }

    /// The prompt, where the model knows it.
    pub(super) fn prompt(&self, call: &Call) -> Result<Option<Value>, Refusal> {
        let at = self.find(&call.target)?;
        self.check_access(at, &call.operation)?;
        Ok(reads::prompt(&self.turn(at, call)))
    }

    /// Upkeep removes what is dead.
    pub(super) fn sweep(&mut self, at: usize) {
        let by = super::state::SYSTEM;
        let mut turn = Turn::new(&self.instances[at].state, self.wall, &by, Mode::Edit, "expire_due");
        turns::sweep(&mut turn);
        self.instances[at].state = turn.commit();
    }

    /// Upkeep forgets what was deleted long ago. What was copied from it was copied from what it was copied from.
    pub(super) fn forget(&mut self) {
        let now = self.wall.max(self.clock);
        while let Some(at) = self.instances.iter().position(|listed| listed.is_over(now)) {
            let gone = self.instances.remove(at);
            for copy in self.instances.iter_mut().filter(|copy| copy.parent.as_ref() == Some(&gone.id)) {
                copy.parent.clone_from(&gone.parent);
            }
            self.clock = now;
        }
    }

    fn turn(&self, at: usize, call: &Call) -> Turn {
        Turn::new(&self.instances[at].state, self.wall, &call.who.hand, call.who.mode, &call.operation)
    }

    /// The instance that a call names.
    pub(super) fn find(&self, target: &str) -> Result<usize, Refusal> {
        let is_it = |listed: &Listed| listed.id == target || (listed.name == target && listed.deleted_at.is_none());
        self.instances.iter().position(is_it).map_or_else(|| refuse("not_found"), Ok)
    }

    fn check_access(&self, at: usize, operation: &str) -> Result<(), Refusal> {
        match self.instances[at].access() {
            2 => refuse("not_found"),
            1 if !turns::is_read(operation) => refuse("permission_denied"),
            _ => Ok(()),
        }
    }

    /// An instance that is there and not deleted.
    fn existing(&self, named: &Value) -> Result<usize, Refusal> {
        let at = self.find(named.as_str().unwrap())?;
        if self.instances[at].deleted_at.is_some() { refuse("not_found") } else { Ok(at) }
    }

    fn check_free(&self, name: &str) -> Result<(), Refusal> {
        let is_taken = self.instances.iter().any(|listed| listed.name == name && listed.deleted_at.is_none());
        if is_taken { refuse("already_exists") } else { Ok(()) }
    }

    /// The catalog is written.
    fn enter(&mut self) -> i64 {
        self.clock = self.clock.max(self.wall);
        self.clock
    }

    fn on_instances(&mut self, call: &Call, answered: &Value) -> Outcome {
        let args = &call.args;
        let named = &args["instance"];
        match call.operation.as_str() {
            "instance_list" => Ok(self.list(args["deleted"] == true, answered)),
            "instance_create" => {
                let name = args["name"].as_str().unwrap();
                self.check_free(name)?;
                Ok(self.add(Listed { name: name.into(), ..Listed::default() }, answered))
            }
            "instance_clone" => self.duplicate(call, answered),
            "instance_snapshot" => {
                let at = self.existing(named)?;
                let source = &self.instances[at];
                let begin = format!("{}@{}", source.name, time(self.wall.max(self.clock)));
                let possible =
                    (1..).map(|number| if number == 1 { begin.clone() } else { format!("{begin} {number}") });
                let name = possible.into_iter().find(|name| self.check_free(name).is_ok()).unwrap();
                let note = args["note"].as_str().filter(|note| !note.is_empty()).map(str::to_owned);
                let parent = Some(source.id.clone());
                let state = source.state.clone();
                Ok(self.add(
                    Listed { name, parent, note, state, read_only: true, is_snapshot: true, ..Listed::default() },
                    answered,
                ))
            }
            "instance_rename" => {
                let at = self.existing(named)?;
                let name = args["name"].as_str().unwrap();
                if self.instances[at].name != name {
                    self.check_free(name)?;
                    self.instances[at].name = name.into();
                    self.enter();
                }
                Ok(self.instances[at].shown())
            }
            "instance_delete" => {
                let at = self.existing(named)?;
                self.instances[at].deleted_at = Some(self.enter());
                self.close(at);
                Ok(self.instances[at].shown())
            }
            "instance_undelete" => self.undelete(named.as_str().unwrap()),
            "instance_set_read_only" => {
                let at = self.existing(named)?;
                let read_only = args["read_only"].as_bool().unwrap();
                if self.instances[at].read_only != read_only {
                    self.instances[at].read_only = read_only;
                    self.instances[at].is_snapshot &= read_only;
                    self.enter();
                    self.close(at);
                }
                Ok(self.instances[at].shown())
            }
            "instance_restore" => self.restore(call),
            "instance_diff" => {
                let (from, to) = (self.existing(&args["from"])?, self.existing(&args["to"])?);
                let of = |at: usize| (&self.instances[at].state, self.instances[at].state.now(self.wall));
                Ok(turns::diff(of(from), of(to)))
            }
            other => panic!("the model does not know {other}"),
        }
    }

    /// What may be done with an instance is written into it too.
    fn close(&mut self, at: usize) {
        let state = &mut self.instances[at].state;
        state.clock = state.now(self.wall);
    }

    /// The times are taken over: they are the catalog's, of which the model knows nothing.
    fn list(&self, with_deleted: bool, answered: &Value) -> Value {
        let now = self.wall.max(self.clock);
        let mut instances: Vec<&Listed> = self.instances.iter().collect();
        instances.retain(|listed| listed.deleted_at.is_none() || (with_deleted && !listed.is_over(now)));
        instances.sort_by_key(|listed| listed.id.clone());
        let shown = instances.iter().map(|listed| {
            let mut shown = listed.shown();
            shown["role"] = "owner".into();
            let told = answered["instances"].as_array().and_then(|all| all.iter().find(|it| it["id"] == *listed.id));
            for name in ["created_at", "updated_at"] {
                shown[name] = told.map_or(Value::Null, |told| told[name].clone());
            }
            if let Some(at) = listed.deleted_at {
                shown["deleted_at"] = time(at).into();
            }
            shown
        });
        json!({"instances": shown.collect::<Vec<_>>(), "next_cursor": null})
    }

    fn add(&mut self, mut listed: Listed, answered: &Value) -> Value {
        listed.id = answered["id"].as_str().unwrap_or_default().into();
        self.enter();
        let shown = listed.shown();
        self.instances.push(listed);
        shown
    }

    fn duplicate(&mut self, call: &Call, answered: &Value) -> Outcome {
        let args = &call.args;
        let at = self.existing(&args["instance"])?;
        let (name, source) = (args["name"].as_str().unwrap(), &self.instances[at]);
        self.check_free(name)?;
        let is_whole = args["tag"].is_null() && args["prefix"].is_null();
        let state = if is_whole { source.state.clone() } else { self.part_of(at, call) };
        let parent = Some(source.id.clone());
        Ok(self.add(Listed { name: name.into(), parent, state, ..Listed::default() }, answered))
    }

    /// Some keys of an instance, without their history.
    fn part_of(&self, at: usize, call: &Call) -> Instance {
        let source = &self.instances[at].state;
        let mut turn =
            Turn::new(&Instance::default(), source.now(self.wall), &call.who.hand, Mode::Edit, "instance_clone");
        for (name, record) in source.live_keys(turn.now) {
            let has_tag = |tag: &str| record.key().tags.iter().any(|each| each == tag);
            let is_wanted = call.args["tag"].as_str().is_none_or(has_tag)
                && name.starts_with(call.args["prefix"].as_str().unwrap_or(""));
            if is_wanted {
                turn.put(name, Thing::Key(record.key().clone()), record.expires_at);
            }
        }
        turn.commit()
    }

    /// Of a name, the one that was deleted last is meant.
    fn undelete(&mut self, named: &str) -> Outcome {
        let now = self.wall.max(self.clock);
        let deleted = (0..self.instances.len()).filter(|at| {
            let listed = &self.instances[*at];
            (listed.id == named || listed.name == named) && listed.deleted_at.is_some() && !listed.is_over(now)
        });
        let last = deleted.max_by_key(|at| (self.instances[*at].deleted_at, self.instances[*at].id.clone()));
        let Some(at) = last else {
            let at = self.find(named)?;
            let listed = &self.instances[at];
            return if listed.is_over(now) { refuse("not_found") } else { Ok(listed.shown()) };
        };
        let name = self.instances[at].name.clone();
        self.check_free(&name)?;
        self.instances[at].deleted_at = None;
        self.enter();
        self.close(at);
        Ok(self.instances[at].shown())
    }

    fn restore(&mut self, call: &Call) -> Outcome {
        let at = self.existing(&call.args["instance"])?;
        let source = self.existing(&call.args["snapshot"])?;
        if at == source {
            return refuse("invalid_argument");
        }
        self.check_access(at, &call.operation)?;
        let (source, mut turn) = (self.instances[source].state.clone(), self.turn(at, call));
        turns::become_like(&mut turn, &source, source.now(self.wall));
        self.instances[at].state = turn.commit();
        Ok(self.instances[at].shown())
    }

    fn purge(&mut self, call: &Call) -> Outcome {
        turns::check_arguments(&call.args)?;
        let at = self.find(&call.target)?;
        self.check_access(at, &call.operation)?;
        let name = call.args["key"].as_str().unwrap();
        let mut turn = self.turn(at, call);
        let purged = forget_older(&mut turn, name)?;
        self.instances[at].state = turn.commit();
        let mut held_by = Vec::new();
        for copy in self.copies_of(at) {
            if call.args["everywhere"] == true {
                let mut turn = self.turn(copy, call);
                if self.instances[copy].is_snapshot {
                    turn.delete(name);
                }
                // A copy that never had the key has nothing to forget.
                if forget_older(&mut turn, name).is_ok() {
                    self.instances[copy].state = turn.commit();
                }
            }
            if turns::holds(&self.instances[copy].state, name) {
                held_by.push(self.instances[copy].name.clone());
            }
        }
        held_by.sort_unstable();
        Ok(json!({"purged": purged, "pending": false, "held_by": held_by}))
    }

    /// Clones and snapshots of an instance, and theirs.
    fn copies_of(&self, at: usize) -> Vec<usize> {
        let mut ids = BTreeSet::from([self.instances[at].id.clone()]);
        let mut copies = Vec::new();
        while let Some(copy) = (0..self.instances.len()).find(|copy| {
            let parent = self.instances[*copy].parent.as_ref();
            !copies.contains(copy) && parent.is_some_and(|parent| ids.contains(parent))
        }) {
            ids.insert(self.instances[copy].id.clone());
            copies.push(copy);
        }
        copies
    }
}
