//! Taking it along: a project with its instances, or all that is the caller's, as an archive that `mindcache import` reads.
//!
//! The archive is put together in a file without a name before the first byte of it goes out: so a refusal is one, no state of
//! an instance is held for a slow client, and it is in memory a part at a time. Keys that the caller may not read are not
//! in it. Beside the keys it tells what belongs to them: of keys and secrets all but what they are.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufWriter, Seek as _, Write as _},
    sync::Arc,
};

use axum::{
    body::Body,
    extract::Path,
    http::{HeaderValue, Method, header},
    response::{IntoResponse as _, Response},
};
use serde_json::{Map, Value, json};

use super::{
    problem::Problem,
    seed::{Asking, Seed, only},
    table::{Table, told},
    values::{Right, pieces},
};
use crate::{
    derive::archive,
    kernel::{
        Caller, Kernel,
        export::{Exportable, Extent},
    },
    model::{
        error::{OpError, Reason},
        instance::InstanceRef,
        key::Key,
        permission::may_read,
    },
    ops::{
        access::{delegates, grants, groups, keys, projects, shares},
        operation::Operation as _,
        port,
    },
};

/// The routes.
pub(super) fn routes(table: Table<Arc<Seed>>) -> Table<Arc<Seed>> {
    let archive = json!({"type": "string", "contentMediaType": "application/x-tar"});
    let told = |id, what| told(id, what).answers(200, "A `.mindcache` archive", Some(("application/x-tar", &archive)));
    table
        .on(
            Method::GET,
            "/v1/projects/{project}/export",
            project,
            told("exportProject", "A project with its instances, for who administers it"),
        )
        .on(Method::GET, "/v1/export", own, told("exportOwn", "All that is the caller's"))
}

async fn project(asking: Asking, Path(project): Path<String>) -> Result<Response, Problem> {
    let found = listed(&asking, Some(project)).await?;
    let about = json!({"projects": projects(&asking, &found).await?, "shares": shares(&asking, &found).await?});
    packed(asking, found, about).await
}

async fn own(asking: Asking) -> Result<Response, Problem> {
    let found = listed(&asking, None).await?;
    let mut delegates: Vec<Map<String, Value>> = asking.all(delegates::List::NAME, Map::new(), "delegates").await?;
    for delegate in &mut delegates {
        let of = || only("delegate", delegate.get("id").cloned().unwrap_or_default());
        let secrets: Vec<Value> = asking.all(delegates::ListSecrets::NAME, of(), "secrets").await?;
        let grants: Vec<Value> = asking.all(grants::List::NAME, of(), "shares").await?;
        delegate.extend([("secrets".to_owned(), json!(secrets)), ("grants".to_owned(), json!(grants))]);
    }
    let keys: Vec<Value> = asking.all(keys::List::NAME, Map::new(), "keys").await?;
    let groups: Vec<Value> = asking.all(groups::List::NAME, Map::new(), "groups").await?;
    let about = json!({
        "projects": projects(&asking, &found).await?, "shares": shares(&asking, &found).await?,
        "api_keys": keys, "delegates": delegates, "groups": groups,
    });
    packed(asking, found, about).await
}

async fn listed(asking: &Asking, project: Option<String>) -> Result<Exportable, Problem> {
    let (kernel, caller) = (Arc::clone(&asking.seed.kernel), asking.caller.clone());
    let list = move || kernel.exportable(&caller, project.as_deref().map_or(Extent::Own, Extent::Project));
    Ok(tokio::task::spawn_blocking(list).await.map_err(|_| broken("it was stopped"))??)
}

/// The projects as the list shows them.
async fn projects(asking: &Asking, found: &Exportable) -> Result<Vec<Value>, Problem> {
    let mut all: Vec<Value> = asking.all(projects::List::NAME, Map::new(), "projects").await?;
    let id = |project: &Value| project.get("id").and_then(Value::as_str).map(str::to_owned);
    all.retain(|project| id(project).is_some_and(|id| found.projects.contains_key(&id)));
    Ok(all)
}

/// The shares of the projects and of the instances in them.
async fn shares(asking: &Asking, found: &Exportable) -> Result<Vec<Value>, Problem> {
    let projects = found.projects.keys().map(|id| only("project", id.as_str()));
    let inside = found.instances.iter().filter(|(_, instance)| found.projects.contains_key(&instance.project));
    let of_instances = inside.map(|(id, _)| only("instance", id.as_str()));
    let mut all: Vec<Value> = Vec::new();
    for on in projects.chain(of_instances) {
        all.extend(asking.all::<Value>(shares::List::NAME, on, "shares").await?);
    }
    Ok(all)
}

async fn packed(asking: Asking, found: Exportable, mut about: Value) -> Result<Response, Problem> {
    let place = asking.seed.large_place().await?;
    let names = found.names();
    if let Some(members) = about.as_object_mut() {
        let told = found.instances.iter().map(|(id, instance)| {
            json!({"id": id.as_str(), "name": instance.name, "project": instance.project, "in_archive": names.get(id.as_str())})
        });
        members.insert("instances".to_owned(), told.collect());
    }
    let (kernel, caller) = (Arc::clone(&asking.seed.kernel), asking.caller);
    let right = Right { hold: kernel.hold(&caller.principal, None)?, page: None };
    let write = move || {
        let _place = place;
        write(&kernel, &caller, &found, &names, &about)
    };
    let (file, bytes) = tokio::task::spawn_blocking(write).await.map_err(|_| broken("it was stopped"))??;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/x-tar")),
        (header::CONTENT_LENGTH, HeaderValue::from(bytes)),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"export.mindcache\"")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((headers, Body::from_stream(pieces(file, bytes, Some(right)))).into_response())
}

fn write(
    kernel: &Kernel,
    caller: &Caller,
    found: &Exportable,
    names: &BTreeMap<String, String>,
    about: &Value,
) -> Result<(File, u64), OpError> {
    let mut out = BufWriter::new(tempfile::tempfile().map_err(|error| unwritten(&error))?);
    let archive = std::cell::RefCell::new(archive::Writer::new(&mut out, true).map_err(|error| unwritten(&error))?);
    archive.borrow_mut().about(about).map_err(|error| unwritten(&error))?;
    for (id, name, origin) in archive::listed(&found.instances, names) {
        kernel.derive(caller, &InstanceRef::parse(&id)?, |tx, cx| {
            let mut archive = archive.borrow_mut();
            archive.begin(&name, tx.seq(), origin.clone()).map_err(|error| unwritten(&error))?;
            tx.each::<Key, OpError>(|held| {
                if !may_read(cx.mode, &held.content) {
                    return Ok(());
                }
                archive.key(&port::portable(tx, held)?).map_err(|error| unwritten(&error))
            })
        })?;
    }
    archive.into_inner().finish().map_err(|error| unwritten(&error))?;
    let done = out.flush().and_then(|()| {
        let mut file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        let bytes = file.stream_position()?;
        file.rewind()?;
        Ok((file, bytes))
    });
    done.map_err(|error| unwritten(&error))
}

fn unwritten(error: &io::Error) -> OpError {
    let reason = if error.kind() == io::ErrorKind::StorageFull { Reason::DiskFull } else { Reason::Io };
    OpError::Unavailable {
        reason,
        what: format!("cannot put the archive together in the folder for temporary files: {error}"),
        remedy: "make room there, or name another with TMPDIR".into(),
    }
}

fn broken(why: &str) -> OpError {
    OpError::Unavailable {
        reason: Reason::Stopped,
        what: format!("nothing was exported: {why}"),
        remedy: "try again".into(),
    }
}
