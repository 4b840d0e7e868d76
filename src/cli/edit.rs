//! `append` and `edit`: changing a part of a text, by a script or in a person's editor.
//!
//! The editor works on a private copy, saved only if nobody has changed the key meanwhile. Whatever comes in between,
//! what the person wrote is not lost: its file stays and is named.

use std::{
    fs,
    io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _},
    path::PathBuf,
    process::Command,
};

use clap::Args;
use serde_json::{Map, Value, json};

use crate::{
    config::editor,
    model::{error::OpError, key::KeyType},
    ops::{
        keys::edit::{Append, Edit},
        operation::{Operation as _, Reply},
    },
    store::sqlite::new_file,
};

use super::{
    Session, complete,
    diff::{coloured, unified},
    output::{Failure, Output, is_coloured},
    words::harmless,
};

/// `append`.
#[derive(Debug, Args)]
pub(super) struct AppendArgs {
    /// Key name
    #[arg(add = complete::keys())]
    key: String,
    /// What to append, exactly; left out or -, standard input is read
    text: Option<String>,
    /// Only if the key is at this version
    #[arg(long, value_name = "N")]
    if_version: Option<u64>,
}

/// Appends to a key.
pub(super) async fn append(args: AppendArgs, session: &Session, output: &Output) -> Result<(), Failure> {
    let text = match args.text {
        Some(text) if text != "-" => text,
        _ => {
            let mut text = String::new();
            io::stdin().lock().read_to_string(&mut text)?;
            text
        }
    };
    let call = with_version(json!({"key": args.key, "text": text}), args.if_version);
    output.reply(&session.execute(Append::NAME, call).await?)
}

/// `edit`.
#[derive(Debug, Args)]
pub(super) struct EditArgs {
    /// Key name
    #[arg(add = complete::keys())]
    key: String,
    /// Replace this text instead of opening an editor
    #[arg(long, value_name = "TEXT", requires = "new")]
    old: Option<String>,
    /// What comes in its place
    #[arg(long, value_name = "TEXT", requires = "old")]
    new: Option<String>,
    /// How often the old text must occur; all are replaced
    #[arg(long, value_name = "N", requires = "old", default_value_t = 1)]
    count: u64,
    /// Only if the key is at this version
    #[arg(long, value_name = "N")]
    if_version: Option<u64>,
}

/// Replaces a piece of a key's text, or lets the person do it.
pub(super) async fn edit(args: EditArgs, session: &Session, output: &Output) -> Result<(), Failure> {
    let EditArgs { key, old, new, count, if_version } = args;
    let (Some(old), Some(new)) = (old, new) else {
        return in_editor(&key, if_version, session, output).await;
    };
    let call = json!({"key": key, "old_text": old, "new_text": new, "expect_count": count});
    output.reply(&session.execute(Edit::NAME, with_version(call, if_version)).await?)
}

fn with_version(mut call: Value, if_version: Option<u64>) -> Value {
    if let (Some(version), Some(call)) = (if_version, call.as_object_mut()) {
        call.insert("if_version".into(), version.into());
    }
    call
}

/// What is being edited.
struct Edited<'a> {
    key: &'a str,
    version: u64,
    before: String,
}

async fn in_editor(key: &str, if_version: Option<u64>, session: &Session, output: &Output) -> Result<(), Failure> {
    session.begin().await?;
    let mut open = session.kernel.open_value(&session.caller, &session.instance, key)?;
    if let Some(expected) = if_version.filter(|version| *version != open.version) {
        let what = format!("key \"{key}\"");
        return Err(OpError::VersionMismatch { what, expected, current: open.version }.into());
    }
    let key_type = open.key.key_type;
    if key_type.is_binary() {
        let text = format!("key \"{key}\" holds {}, which no editor opens: set it with --file", open.content_type);
        return Err(Failure::Usage(text));
    }
    let edited = Edited { key, version: open.version, before: open.text()? };
    let draft = Draft::new(key, key_type, &edited.before)?;
    loop {
        // Whatever fails from here on, the file may hold what the person has typed.
        let text = match draft.open().and_then(|()| Ok(draft.text(&edited.before)?)) {
            Ok(Some(text)) => text,
            Ok(None) => return Err(kept(draft, "what is in the file is no UTF-8 text".into())),
            Err(error) if draft.text(&edited.before).is_ok_and(|text| text.as_ref() == Some(&edited.before)) => {
                return Err(Failure::Other(anyhow::anyhow!("{error}: nothing was written")));
            }
            Err(error) => return Err(kept(draft, error.to_string())),
        };
        if text == edited.before {
            return unchanged(&edited, output);
        }
        let wrong = match check(key_type, &text) {
            Err(wrong) => wrong,
            Ok(()) => match save(&edited, &text, session).await {
                Ok(reply) => return output.reply(&reply),
                Err(OpError::VersionMismatch { .. } | OpError::NotFound { .. }) => {
                    return Err(conflict(&edited, &text, draft, session));
                }
                Err(refused @ (OpError::InvalidArgument { .. } | OpError::TooLarge { .. })) => refused.to_string(),
                Err(error) => return Err(kept(draft, error.to_string())),
            },
        };
        match wants_to_go_on(&wrong) {
            Ok(true) => {}
            Ok(false) => return Err(kept(draft, "left as it was".into())),
            Err(error) => return Err(kept(draft, error.to_string())),
        }
    }
}

fn unchanged(edited: &Edited<'_>, output: &Output) -> Result<(), Failure> {
    if output.is_json() {
        return output.structured(&json!({"key": edited.key, "version": edited.version, "unchanged": true}));
    }
    output.line(&format!("Key \"{}\" is as it was, at version {}: nothing was written.", edited.key, edited.version))
}

/// What a parser says of it: the refusal of the operation quotes nothing and so cannot tell the place.
fn check(key_type: KeyType, text: &str) -> Result<(), String> {
    if key_type != KeyType::Json {
        return Ok(());
    }
    serde_json::from_str::<serde::de::IgnoredAny>(text).map(drop).map_err(|error| format!("this is not JSON: {error}"))
}

/// Saves the whole text as a replacement of the whole text, which keeps type, tags and expiry.
async fn save(edited: &Edited<'_>, text: &str, session: &Session) -> Result<Reply, OpError> {
    let mut call =
        Map::from_iter([("key".to_owned(), Value::from(edited.key)), ("if_version".to_owned(), edited.version.into())]);
    let operation = if edited.before.is_empty() {
        call.insert("text".into(), text.into());
        Append::NAME
    } else {
        call.insert("old_text".into(), edited.before.as_str().into());
        call.insert("new_text".into(), text.into());
        Edit::NAME
    };
    session.execute(operation, Value::Object(call)).await
}

/// Somebody was faster: shows what is stored beside what the person wrote, and says where that is.
fn conflict(edited: &Edited<'_>, text: &str, draft: Draft, session: &Session) -> Failure {
    let current = session.kernel.open_value(&session.caller, &session.instance, edited.key);
    let (version, theirs) = match current.and_then(|mut value| Ok((value.version, value.text()?))) {
        Ok((version, theirs)) => (version, theirs),
        Err(_) => (0, String::new()),
    };
    let title = match version {
        0 => "stored: the key was deleted".to_owned(),
        version => format!("stored: version {version}"),
    };
    let diff = unified(&theirs, text, &title, &format!("yours: from version {}", edited.version));
    let mut stderr = io::stderr().lock();
    let shown = if is_coloured(&stderr) {
        coloured(&diff)
    } else if stderr.is_terminal() {
        harmless(&diff)
    } else {
        diff
    };
    let told = stderr.write_all(shown.as_bytes());
    let path = draft.keep();
    let what = format!("nothing was written, your text is in {}: key \"{}\"", path.display(), edited.key);
    match told {
        Ok(()) => OpError::VersionMismatch { what, expected: edited.version, current: version }.into(),
        Err(error) => error.into(),
    }
}

/// The failure that names the file with the person's text.
fn kept(draft: Draft, why: String) -> Failure {
    Failure::Other(anyhow::anyhow!("{why}: nothing was written, your text is in {}", draft.keep().display()))
}

/// Asks on stderr, so that stdout stays the command's result; no answer is a no.
fn wants_to_go_on(wrong: &str) -> io::Result<bool> {
    let mut stderr = io::stderr().lock();
    write!(stderr, "mindcache: {wrong}\nedit it again? [y/n] ")?;
    stderr.flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    if answer.is_empty() {
        writeln!(stderr)?;
    }
    Ok(answer.trim().eq_ignore_ascii_case("y") || answer.trim().eq_ignore_ascii_case("yes"))
}

/// A file that only this user can read, in a folder of its own: editors leave copies beside what they edit.
struct Draft {
    folder: tempfile::TempDir,
    path: PathBuf,
}

impl Draft {
    fn new(key: &str, key_type: KeyType, text: &str) -> Result<Self, Failure> {
        let mut folder = tempfile::Builder::new();
        #[cfg(unix)]
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        #[cfg(unix)]
        folder.permissions(mode);
        let folder = folder.prefix("mindcache-edit-").tempdir()?;
        let path = folder.path().join(file_name(key, key_type));
        new_file(&path)?.write_all(text.as_bytes())?;
        Ok(Self { folder, path })
    }

    /// Lets the person edit it, through the shell as the command may have arguments.
    fn open(&self) -> anyhow::Result<()> {
        let editor = editor();
        let shown = editor.to_string_lossy().into_owned();
        let mut command = if cfg!(windows) {
            let mut words = shown.split_whitespace();
            let mut command = Command::new(words.next().unwrap_or_default());
            command.args(words);
            command
        } else {
            let mut line = editor;
            line.push(" \"$@\"");
            let mut command = Command::new("sh");
            command.arg("-c").arg(line).arg("sh");
            command
        };
        let status = command.arg(&self.path).status();
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => anyhow::bail!("the editor ({shown}) ended with {status}"),
            Err(error) => anyhow::bail!("cannot start the editor ({shown}; name another in VISUAL or EDITOR): {error}"),
        }
    }

    /// The text as it is now, none if it is no UTF-8. A line end that the editor added at the end is not the person's.
    fn text(&self, before: &str) -> io::Result<Option<String>> {
        let Ok(mut text) = String::from_utf8(fs::read(&self.path)?) else { return Ok(None) };
        if !before.ends_with('\n') && text.ends_with('\n') {
            text.pop();
            if text.ends_with('\r') && !before.contains('\r') {
                text.pop();
            }
        }
        Ok(Some(text))
    }

    /// Leaves the file where it is.
    fn keep(self) -> PathBuf {
        drop(self.folder.keep());
        self.path
    }
}

/// The key's name as a file's, so that the editor knows what it edits.
fn file_name(key: &str, key_type: KeyType) -> String {
    let name: String =
        key.chars().map(|c| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' }).take(40).collect();
    let name = name.trim_start_matches('.');
    let extension = if key_type == KeyType::Json { ".json" } else { ".txt" };
    let has_one = std::path::Path::new(name).extension().is_some();
    match (name, has_one && key_type != KeyType::Json) {
        ("", _) => format!("value{extension}"),
        (name, true) => name.to_owned(),
        (name, false) => format!("{}{extension}", name.trim_end_matches(".json")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_after_its_key_and_type() {
        let named =
            [("notes", KeyType::Text), ("a/b c", KeyType::Json), ("plan.md", KeyType::Text), ("../x", KeyType::Text)]
                .map(|(key, key_type)| file_name(key, key_type));
        assert_eq!(named, ["notes.txt", "a_b_c.json", "plan.md", "_x.txt"]);
        assert_eq!([file_name("é", KeyType::Text), file_name("..", KeyType::Text)], ["é.txt", "value.txt"]);
        assert_eq!(file_name("config.json", KeyType::Json), "config.json");
    }
}
