//! A copy of an instance, made while others write to it.

use std::{fs::File, path::Path};

use rusqlite::{
    Connection, OpenFlags,
    backup::{Backup, StepResult},
};

use crate::model::{
    error::{OpError, Reason},
    view::Access,
};

use super::{
    blobs::Blobs,
    connection::{self, Durability, explain},
    files,
};

/// Makes the folder `to` a copy of one state of `from`: built beside, synced, renamed.
///
/// SQLite's own backup, from a reader and in one step: page by page it would begin anew with each commit of somebody
/// else, and the file alone lacks what is still in its write-ahead log.
pub(super) fn copy_instance(from: &Path, to: &Path, root: &Path, access: Access) -> Result<(), OpError> {
    let (source, large) = (connection::open_reader(from)?, Blobs::of(from));
    files::build_beside(to, root, |beside| {
        let values = Blobs::of(beside);
        // Before the state is taken, what a collection may take away right after it; afterwards, what had come until
        // then. What the copy has too much its own collection takes away.
        values.share_all(&large)?;
        back_up(&source, from, beside)?;
        set_access(beside, access)?;
        values.share_all(&large)?;
        let database = beside.join(files::DATABASE);
        let synced = File::open(&database).and_then(|file| file.sync_all());
        synced.map_err(|error| files::unavailable(&error, "write", &database))
    })
    .map(drop)
}

/// Copies the database as of one seq.
pub(super) fn back_up(source: &Connection, from: &Path, beside: &Path) -> Result<(), OpError> {
    let path = beside.join(files::DATABASE);
    files::new_file(&path).map_err(|error| files::unavailable(&error, "create", &path))?;
    let copy = || -> rusqlite::Result<bool> {
        let access = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut target = Connection::open_with_flags(&path, access)?;
        // Nobody knows of the file yet, and it is synced at the end.
        target.pragma_update(None, "journal_mode", "MEMORY")?;
        target.pragma_update(None, "synchronous", "OFF")?;
        let step = Backup::new(source, &mut target)?.step(-1)?;
        target.close().map_err(|(_, error)| error)?;
        Ok(step == StepResult::Done)
    };
    match copy() {
        Ok(true) => Ok(()),
        Ok(false) => Err(OpError::Unavailable {
            reason: Reason::Busy,
            what: format!("{} cannot be copied now", from.display()),
            remedy: "another program holds the file: close it, then try again".into(),
        }),
        Err(error) => Err(explain(&error, &from.join(files::DATABASE))),
    }
}

/// Writes into a copy what may be done with it.
pub(super) fn set_access(beside: &Path, access: Access) -> Result<(), OpError> {
    // Closing the last connection leaves one file without a log beside it.
    let connection = connection::open_writer(beside, Durability::Normal)?;
    let set = connection.execute("UPDATE state SET access = ?1", [access.number()]);
    let closed = set.and_then(|_| connection.close().map_err(|(_, error)| error));
    closed.map_err(|error| explain(&error, &beside.join(files::DATABASE)))
}
