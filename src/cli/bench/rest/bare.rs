//! The floor under `bench rest`: three handlers on the web server and the runtime that `serve` uses, and nothing around
//! them. They read from memory, append to a file and flush it, and list from memory.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::serve::ListenerExt as _;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::LIST;
use crate::cli::bench::workload::{key, value};

/// Keys that it has; a list shows the first of them.
const KEYS: u64 = 1_000;

/// What the handlers share.
#[derive(Clone)]
struct Bare {
    values: Arc<Mutex<BTreeMap<String, String>>>,
    file: Arc<Mutex<File>>,
}

/// Serves on a free port of the loopback, for ever. What is written goes into a file of this folder.
pub(in super::super) fn run(folder: &std::path::Path) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let path: PathBuf = folder.join("bare");
        let file = File::create(&path).with_context(|| format!("cannot make {}", path.display()))?;
        let values = (0..KEYS).map(|number| (key(number), value(number))).collect();
        let bare = Bare { values: Arc::new(Mutex::new(values)), file: Arc::new(Mutex::new(file)) };
        writeln!(std::io::stdout().lock(), "listening on http://{}", listener.local_addr()?)?;
        let listener = listener.tap_io(|socket| {
            // With Nagle's algorithm each answer would wait for the client's acknowledgement.
            if let Err(error) = socket.set_nodelay(true) {
                tracing::debug!(%error, "cannot switch Nagle's algorithm off");
            }
        });
        let routes = Router::new()
            .route("/v1/i/default/keys/{key}", get(read).put(write))
            .route("/v1/i/default/ops/list_keys", post(list))
            .with_state(bare);
        axum::serve(listener, routes).await?;
        Ok(())
    })
}

async fn read(State(bare): State<Bare>, Path(key): Path<String>) -> Result<String, StatusCode> {
    let values = bare.values.lock().unwrap_or_else(PoisonError::into_inner);
    values.get(&key).cloned().ok_or(StatusCode::NOT_FOUND)
}

/// A flush for each write, off the threads that answer others.
async fn write(State(bare): State<Bare>, Path(key): Path<String>, body: String) -> Result<Json<Value>, StatusCode> {
    let (file, line) = (Arc::clone(&bare.file), body.clone());
    let written = tokio::task::spawn_blocking(move || {
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(line.as_bytes())?;
        file.sync_data()
    });
    written.await.map_err(std::io::Error::other).flatten().map_err(|_| StatusCode::INSUFFICIENT_STORAGE)?;
    bare.values.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), body);
    Ok(Json(json!({"key": key, "version": 1, "created": false})))
}

async fn list(State(bare): State<Bare>) -> Json<Value> {
    let values = bare.values.lock().unwrap_or_else(PoisonError::into_inner);
    let rows = values.iter().take(LIST).map(|(key, value)| json!({"key": key, "value": value, "type": "text"}));
    Json(json!({"keys": rows.collect::<Vec<_>>(), "next_cursor": null}))
}
