//! What a command on a client's config says when it is done.

use std::path::Path;

use serde_json::json;

use super::{
    super::output::{Failure, Output},
    table::Client,
};

/// What is said at the end, and whether anything was changed.
pub(super) struct Told {
    /// Nothing is done, only told.
    pub(super) is_dry: bool,
    /// Whether anything was changed, or would be.
    pub(super) is_changed: bool,
    lines: Vec<String>,
    backups: Vec<String>,
    client: &'static str,
    path: String,
}

impl Told {
    pub(super) fn new(client: &Client, path: &Path, is_dry: bool) -> Self {
        let (lines, backups) = (Vec::new(), Vec::new());
        Self { is_dry, is_changed: false, lines, backups, client: client.name, path: path.display().to_string() }
    }

    /// A line for people.
    pub(super) fn line(&mut self, text: String) {
        self.lines.push(text);
    }

    /// Something was changed, and what was there is kept in this file.
    pub(super) fn changed(&mut self, backup: Option<&Path>) {
        self.is_changed = true;
        if let Some(backup) = backup {
            self.backups.push(backup.display().to_string());
            self.lines.push(format!("  What was there before is in {}.", backup.display()));
        }
    }

    /// The word for what was done, or for what would be.
    pub(super) fn verb<'v>(&self, done: &'v str, would: &'v str) -> &'v str {
        if self.is_dry { would } else { done }
    }

    /// Says it all.
    pub(super) fn end(mut self, output: &Output) -> Result<(), Failure> {
        if self.is_dry {
            self.lines.push("DRY RUN, nothing was changed.".into());
        }
        if output.is_json() {
            let Self { is_dry, is_changed, lines, backups, client, path } = self;
            return output.structured(&json!({
                "client": client, "path": path, "changed": is_changed, "dry_run": is_dry, "backups": backups,
                "said": lines,
            }));
        }
        self.lines.iter().try_for_each(|line| output.line(line))
    }
}
