//! What a disk may hold after the power went, given the calls until then.
//!
//! The model is the strict one, which POSIX allows and which file systems mostly better:
//! - What was written is sure once a sync of that file began after the write and ended before the cut. Of the rest any
//!   part may be there, in pieces of 512 bytes, whatever the order; the length may have grown without the bytes.
//! - A name is sure once its *folder* was synced so: a new file, a new folder, a rename, a removal. A sync of the
//!   file itself makes no name sure. A rename is there whole or not at all.
//! - Bytes beside those that are written stay as they were (SQLite relies on it too).

use std::{collections::BTreeMap, fs, path::Path, rc::Rc};

use super::calls::{Act, Call};
use crate::harness::chance::Chance;

/// What may be lost is lost or kept in pieces of this size.
const SECTOR: usize = 512;

/// Which of what was not sure is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// Nothing: the least that was promised.
    Nothing,
    /// All of it: the process was killed, the machine was not.
    Everything,
    /// The names, and none of the bytes: a file that was renamed into place before it was written.
    Names,
    /// The bytes, and none of the names.
    Bytes,
    /// Each piece by chance.
    Some,
}

pub(super) const ALL_KEPT: [Kept; 5] = [Kept::Nothing, Kept::Everything, Kept::Names, Kept::Bytes, Kept::Some];

/// Something that was done to a file or a folder.
#[derive(Debug)]
struct Done {
    ended: u64,
    is_sure: bool,
    change: Change,
}

#[derive(Debug)]
enum Change {
    Write {
        offset: u64,
        bytes: Rc<[u8]>,
    },
    Resize(u64),
    /// In a folder: a name that goes, a name that comes.
    Names {
        goes: Option<String>,
        comes: Option<(String, usize)>,
    },
}

/// A file or a folder with everything that was done to it.
#[derive(Debug, Default)]
struct Node {
    is_folder: bool,
    /// The names in a folder as the programs see them.
    names: BTreeMap<String, usize>,
    done: Vec<Done>,
}

/// A file system under one folder, which was there and empty.
#[derive(Debug)]
pub(super) struct Disk {
    root: String,
    nodes: Vec<Node>,
}

impl Disk {
    /// The disk under `root` when the power goes at `cut`.
    pub(super) fn at(calls: &[Call], root: &str, cut: u64) -> Self {
        let mut disk = Self { root: root.to_owned(), nodes: vec![Node { is_folder: true, ..Node::default() }] };
        disk.go_on(calls, root, cut);
        disk
    }

    /// Calls of other processes that found what the calls before had left, in another place.
    pub(super) fn go_on(&mut self, calls: &[Call], root: &str, cut: u64) {
        root.clone_into(&mut self.root);
        for call in calls.iter().take_while(|call| call.began <= cut) {
            self.play(call, cut);
        }
    }

    fn play(&mut self, call: &Call, cut: u64) {
        match &call.act {
            Act::Open { path, creates, empties } => {
                if *creates && self.find(path).is_none() {
                    self.enter(path, false, call.ended);
                }
                if *empties {
                    self.change(path, Change::Resize(0), call.ended);
                }
            }
            Act::MakeFolder(path) => self.enter(path, true, call.ended),
            Act::Rename(from, to) => self.rename(from, to, call.ended),
            Act::Link(from, to) => {
                if let Some(node) = self.find(from) {
                    self.name(to, Some(node), call.ended);
                }
            }
            Act::Remove(path) => self.name(path, None, call.ended),
            Act::Write { path, offset, bytes } => {
                self.change(path, Change::Write { offset: *offset, bytes: Rc::clone(bytes) }, call.ended);
            }
            Act::Resize { path, length } => self.change(path, Change::Resize(*length), call.ended),
            Act::Sync(path) if call.ended <= cut => {
                let Some(node) = self.find(path) else { return };
                for done in self.nodes[node].done.iter_mut().filter(|done| done.ended <= call.began) {
                    done.is_sure = true;
                }
            }
            Act::Sync(_) | Act::Say(_) => {}
        }
    }

    /// The file or folder of a path; nothing for what lies elsewhere.
    fn find(&self, path: &str) -> Option<usize> {
        let inside = path.strip_prefix(&self.root)?;
        let mut names = inside.split('/').filter(|name| !name.is_empty());
        names.try_fold(0, |node, name| self.nodes[node].names.get(name).copied())
    }

    /// The folder that a path is in, and its name there.
    fn place<'p>(&self, path: &'p str) -> Option<(usize, &'p str)> {
        let (folder, name) = path.rsplit_once('/')?;
        self.find(folder).map(|folder| (folder, name))
    }

    fn enter(&mut self, path: &str, is_folder: bool, ended: u64) {
        if self.place(path).is_some() {
            self.nodes.push(Node { is_folder, ..Node::default() });
            self.name(path, Some(self.nodes.len() - 1), ended);
        }
    }

    fn name(&mut self, path: &str, node: Option<usize>, ended: u64) {
        let Some((folder, name)) = self.place(path) else { return };
        let goes = node.is_none().then(|| name.to_owned());
        self.names(folder, goes, node.map(|node| (name.to_owned(), node)), ended);
    }

    fn rename(&mut self, from: &str, to: &str, ended: u64) {
        let (Some(node), Some((old, old_name)), Some((new, name))) =
            (self.find(from), self.place(from), self.place(to))
        else {
            return;
        };
        assert_eq!(old, new, "a rename from one folder to another is not modelled");
        self.names(new, Some(old_name.to_owned()), Some((name.to_owned(), node)), ended);
    }

    fn names(&mut self, folder: usize, goes: Option<String>, comes: Option<(String, usize)>, ended: u64) {
        let folder = &mut self.nodes[folder];
        if let Some(name) = &goes {
            folder.names.remove(name);
        }
        folder.names.extend(comes.clone());
        folder.done.push(Done { ended, is_sure: false, change: Change::Names { goes, comes } });
    }

    fn change(&mut self, path: &str, change: Change, ended: u64) {
        if let Some(node) = self.find(path) {
            self.nodes[node].done.push(Done { ended, is_sure: false, change });
        }
    }

    /// Writes what is left to a folder. The same chance leaves the same.
    pub(super) fn leave(&self, to: &Path, kept: Kept, chance: &mut Chance) {
        self.leave_node(0, to, kept, chance);
    }

    fn leave_node(&self, node: usize, to: &Path, kept: Kept, chance: &mut Chance) {
        let node = &self.nodes[node];
        if !node.is_folder {
            // Shared memory: nothing in it is worth anything after a cut, and SQLite must find that out.
            let is_shared_memory = to.to_string_lossy().ends_with("-shm");
            let content = if is_shared_memory { vec![0xa5; 32_768] } else { content(&node.done, kept, chance) };
            return fs::write(to, content).expect("the file can be written");
        }
        fs::create_dir_all(to).expect("the folder can be made");
        let mut names = BTreeMap::new();
        for done in &node.done {
            let Change::Names { goes, comes } = &done.change else { continue };
            let is_kept = done.is_sure || matches!(kept, Kept::Everything | Kept::Names);
            if is_kept || (kept == Kept::Some && chance.one_in(2)) {
                if let Some(name) = goes {
                    names.remove(name);
                }
                names.extend(comes.clone());
            }
        }
        for (name, node) in names {
            self.leave_node(node, &to.join(name), kept, chance);
        }
    }
}

/// The bytes of a file.
fn content(done: &[Done], kept: Kept, chance: &mut Chance) -> Vec<u8> {
    let mut content = Vec::new();
    for done in done {
        let is_kept = done.is_sure || matches!(kept, Kept::Everything | Kept::Bytes);
        match &done.change {
            Change::Resize(length) if is_kept || (kept == Kept::Some && chance.one_in(2)) => {
                content.resize(usize::try_from(*length).expect("a length"), 0);
            }
            Change::Write { offset, bytes } if is_kept => put(&mut content, *offset, bytes),
            Change::Write { offset, bytes } if kept == Kept::Some => {
                // All of it, none of it, or torn.
                let part = chance.below(3);
                for (number, sector) in bytes.chunks(SECTOR).enumerate() {
                    if part == 0 || (part == 1 && chance.one_in(2)) {
                        put(&mut content, offset + (number * SECTOR) as u64, sector);
                    }
                }
            }
            _ => {}
        }
    }
    content
}

fn put(content: &mut Vec<u8>, offset: u64, bytes: &[u8]) {
    let from = usize::try_from(offset).expect("an offset");
    let to = from + bytes.len();
    content.resize(content.len().max(to), 0);
    content[from..to].copy_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::{Env, audit::files_below};

    /// Plays calls a moment apart, each done before the next, and says what is left: paths with contents.
    fn left(acts: &[Act], kept: Kept) -> Vec<(String, String)> {
        let calls: Vec<_> =
            (0..).zip(acts).map(|(at, act)| Call { began: at * 2, ended: at * 2 + 1, act: act.clone() }).collect();
        let env = Env::new();
        Disk::at(&calls, "/d", u64::MAX).leave(&env.data(), kept, &mut Chance::seeded(1));
        let mut files: Vec<_> = files_below(&env.data())
            .into_iter()
            .map(|path| {
                let name = path.strip_prefix(env.data()).unwrap().to_string_lossy().into_owned();
                (name, fs::read_to_string(path).unwrap())
            })
            .collect();
        files.sort();
        files
    }

    fn path(name: &str) -> String {
        format!("/d/{name}")
    }

    fn open(name: &str) -> Act {
        Act::Open { path: path(name), creates: true, empties: false }
    }

    fn write(name: &str, offset: u64, text: &str) -> Act {
        Act::Write { path: path(name), offset, bytes: text.as_bytes().into() }
    }

    fn sync(name: &str) -> Act {
        Act::Sync(path(name).trim_end_matches('/').to_owned())
    }

    fn files(all: &[(&str, &str)]) -> Vec<(String, String)> {
        all.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn a_file_is_sure_when_it_and_its_folder_are_synced() {
        let all = [open("a"), write("a", 0, "one"), sync("a"), sync(""), write("a", 1, "ut")];
        assert_eq!(left(&all[..2], Kept::Nothing), files(&[]));
        assert_eq!(left(&all[..3], Kept::Nothing), files(&[]));
        assert_eq!(left(&all[..4], Kept::Nothing), files(&[("a", "one")]));
        assert_eq!(left(&all, Kept::Nothing), files(&[("a", "one")]));
        assert_eq!(left(&all, Kept::Everything), files(&[("a", "out")]));
        assert_eq!(left(&all[..2], Kept::Names), files(&[("a", "")]));
        assert_eq!(left(&all[..2], Kept::Bytes), files(&[]));
    }

    #[test]
    fn a_rename_is_sure_when_its_folder_is_synced_and_whole_in_any_case() {
        let before = [open("new"), write("new", 0, "x"), sync("new"), sync("")];
        let rename = Act::Rename(path("new"), path("old"));
        let renamed = [&before[..], std::slice::from_ref(&rename)].concat();
        assert_eq!(left(&renamed, Kept::Nothing), files(&[("new", "x")]));
        assert_eq!(left(&renamed, Kept::Names), files(&[("old", "x")]));
        assert_eq!(left(&[&renamed[..], &[sync("")]].concat(), Kept::Nothing), files(&[("old", "x")]));
        // The bytes of a file that was renamed before it was synced.
        let early = [open("new"), write("new", 0, "x"), rename, sync("")];
        assert_eq!(left(&early, Kept::Nothing), files(&[("old", "")]));
        let removed = [&before[..], &[Act::Remove(path("new"))]].concat();
        assert_eq!(left(&removed, Kept::Nothing), files(&[("new", "x")]));
    }

    #[test]
    fn what_is_in_a_folder_goes_with_the_name_of_the_folder() {
        let inside = [Act::MakeFolder(path("f")), open("f/a"), write("f/a", 0, "x"), sync("f/a"), sync("f")];
        assert_eq!(left(&inside, Kept::Nothing), files(&[]));
        assert_eq!(left(&[&inside[..], &[sync("")]].concat(), Kept::Nothing), files(&[("f/a", "x")]));
    }

    #[test]
    fn a_sync_that_began_before_a_write_ended_makes_it_not_sure() {
        let call = |began, ended, act| Call { began, ended, act };
        let calls =
            [call(0, 1, open("a")), call(2, 3, sync("")), call(4, 8, write("a", 0, "x")), call(6, 9, sync("a"))];
        let env = Env::new();
        Disk::at(&calls, "/d", 10).leave(&env.data(), Kept::Nothing, &mut Chance::seeded(1));
        assert_eq!(fs::read(env.data().join("a")).unwrap(), b"");
    }
}
