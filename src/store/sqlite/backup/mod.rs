//! Backups: copies of all instances to be put into one file while others write (`stage.rs`), and a data folder that is
//! built from such a file and is whole or not there (`rebuild.rs`).

mod rebuild;
mod stage;

use std::path::Path;

use rusqlite::Connection;

use super::{connection, files};
use crate::model::{
    error::{OpError, Reason},
    instance::{Instance, InstanceId},
    kind::Kind as _,
};

pub(super) use rebuild::beside;
pub use rebuild::{Expected, Rebuild};
pub(super) use stage::sweep;
pub use stage::{Copied, Large, Stage};

/// What another process is doing that two cannot do at once.
fn busy(what: &str) -> OpError {
    OpError::Unavailable { reason: Reason::Busy, what: what.into(), remedy: "wait until it has ended".into() }
}

fn damaged(what: String, remedy: &str) -> OpError {
    OpError::Unavailable { reason: Reason::Damaged, what, remedy: remedy.into() }
}

/// The instances that a catalog lists, deleted ones too.
fn listed(connection: &Connection, folder: &Path) -> Result<Vec<(InstanceId, Instance)>, OpError> {
    let told = |error: rusqlite::Error| connection::explain(&error, &folder.join(files::DATABASE));
    let mut statement = connection.prepare("SELECT id, body FROM record WHERE kind = ?1 ORDER BY id").map_err(told)?;
    let mut rows = statement.query([Instance::KIND]).map_err(told)?;
    let mut listed = Vec::new();
    while let Some(row) = rows.next().map_err(told)? {
        let (id, body): (String, String) = (row.get(0).map_err(told)?, row.get(1).map_err(told)?);
        let instance = serde_json::from_str(&body).ok();
        let Some(found) = InstanceId::parse(&id).filter(|id| !id.is_catalog()).zip(instance) else {
            let what = format!("{} lists the instance \"{id}\" in a way that is not understood", folder.display());
            return Err(damaged(what, "look at it with `mindcache doctor --deep`"));
        };
        listed.push(found);
    }
    Ok(listed)
}

/// The seq of the last change and the number of records.
fn extent(connection: &Connection) -> rusqlite::Result<(u64, u64)> {
    let head = connection.query_row("SELECT head FROM state", [], |row| row.get(0))?;
    Ok((head, connection.query_row("SELECT count(*) FROM record", [], |row| row.get(0))?))
}
