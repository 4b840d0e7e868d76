//! `mindcache client`: the JavaScript client as a folder that npm takes.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use clap::Args;
use serde_json::{Value, json};

use super::output::{Failure, Output};
use crate::face::web::client_files;

/// `client`.
#[derive(Debug, Args)]
pub(super) struct ClientArgs {
    /// Folder to write: a new one, an empty one, or one that holds an earlier version of the client
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Writes the files. Nothing is written when the folder holds what this command did not write.
pub(super) fn run(args: &ClientArgs, output: &Output) -> Result<(), Failure> {
    let folder = &args.out;
    if !is_ours(folder)
        && let Some(foreign) = first_file(folder)?
    {
        return Err(Failure::Usage(format!(
            "{} is there and is no file of the client: nothing was written. Name a new or an empty folder",
            foreign.display()
        )));
    }
    let mut names = Vec::new();
    for (name, text) in client_files() {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, text)?;
        names.push(name);
    }
    if output.is_json() {
        return output.structured(&json!({ "out": folder, "version": env!("CARGO_PKG_VERSION"), "files": names }));
    }
    let folder = folder.display();
    output.line(&format!("Wrote {} files to {folder}. To use them in a program: npm install {folder}", names.len()))
}

/// Whether a folder holds the client already, of whichever version.
fn is_ours(folder: &Path) -> bool {
    let described = fs::read(folder.join("package.json")).ok();
    let package: Option<Value> = described.and_then(|text| serde_json::from_slice(&text).ok());
    let is_named = |package: Value| package.get("name").and_then(Value::as_str) == Some("mindcache");
    package.is_some_and(is_named) && folder.join("mindcache.js").is_file()
}

/// What stands in a folder, if it is there and not empty.
fn first_file(folder: &Path) -> io::Result<Option<PathBuf>> {
    match fs::read_dir(folder) {
        Ok(mut entries) => entries.next().map(|entry| entry.map(|entry| entry.path())).transpose(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
