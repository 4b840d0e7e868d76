//! Building a data folder from a backup, which may have come from anywhere.

use std::{
    fs::{self, File},
    io::{self, BufReader, Read},
    path::Path,
};

use serde_json::json;

use crate::{
    derive::sealed::{self, Place},
    model::{
        error::{OpError, Reason},
        instance::InstanceId,
    },
    store::sqlite::{Expected, LATEST_VERSION, Rebuild, SqliteStore},
};

use super::{
    super::{
        output::{Failure, Output},
        progress::{Progress, Unit},
    },
    Contents, FORM, Part, State, limit, part, write,
};

/// Unpacks it beside the data folder, checks all of it, and puts it in place.
pub(super) fn restore(path: &Path, store: &SqliteStore, output: &Output) -> Result<(), Failure> {
    let told = |error: io::Error| Failure::Other(anyhow::anyhow!("cannot read {}: {error}", path.display()));
    // Asked first: opening a pipe waits for whoever writes into it.
    if !fs::metadata(path).map_err(told)?.is_file() {
        return Err(Failure::Usage(format!("{} is no file", path.display())));
    }
    let file = File::open(path).map_err(told)?;
    let mut rebuild = store.rebuild()?;
    let contents = unpack(file, &mut rebuild).map_err(|error| within(path, error))?;
    let expected =
        |id: &InstanceId, State { as_of_seq, records }: State| Expected { id: id.clone(), as_of_seq, records };
    let instances: Vec<_> = contents.instances.iter().map(|each| expected(&each.id, each.state)).collect();
    let catalog = expected(&InstanceId::catalog(), contents.catalog);
    rebuild.finish(&catalog, &instances).map_err(|error| within(path, error))?;
    if output.is_json() {
        return output.structured(&json!({
            "data_dir": store.root().display().to_string(),
            "made_at": contents.made_at,
            "catalog": contents.catalog,
            "instances": contents.instances,
            "left_out": contents.left_out,
        }));
    }
    output.line(&format!(
        "Restored {} instances as of {} into {}. A server there makes a new token.",
        contents.instances.len(),
        contents.made_at,
        store.root().display()
    ))
}

fn unpack(file: File, rebuild: &mut Rebuild) -> Result<Contents, OpError> {
    let progress = Progress::new("restore", Unit::Bytes);
    let source = BufReader::with_capacity(256 * 1024, write::seen(file, &progress));
    let each = |place: &Place, content: &mut dyn Read| {
        let mut target = match part(&place.name) {
            Some(Part::Database(id)) => rebuild.database(&id)?,
            Some(Part::Large(sha256)) => rebuild.large(sha256)?,
            None => return Ok(()),
        };
        io::copy(content, &mut target).map(drop).map_err(|error| unwritten(&place.name, &error))
    };
    let contents = sealed::read(source, &FORM, limit, each, |contents: &Contents| &contents.entries)?;
    if contents.store_version > LATEST_VERSION {
        return Err(OpError::Unavailable {
            reason: Reason::Newer,
            what: format!("the backup was made by mindcache {}", contents.mindcache.escape_debug()),
            remedy: "install that version to restore it".into(),
        });
    }
    Ok(contents)
}

/// Either side of a copy can fail; the system's message says which.
fn unwritten(name: &str, error: &io::Error) -> OpError {
    if error.kind() == io::ErrorKind::StorageFull {
        return OpError::Unavailable {
            reason: Reason::DiskFull,
            what: format!("there is no room for {name}"),
            remedy: "free some space, then try again".into(),
        };
    }
    OpError::invalid(format!("entry \"{name}\""), format!("it cannot be unpacked: {error}"), "")
}

/// The same error, telling which file it is about.
fn within(file: &Path, error: OpError) -> OpError {
    match error {
        OpError::InvalidArgument { path, rule, got } => {
            OpError::InvalidArgument { path: format!("{}, {path}", file.display()), rule, got }
        }
        other => other,
    }
}
