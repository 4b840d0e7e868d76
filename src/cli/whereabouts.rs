//! Where the server of a data folder listens, and its process: a small file in it, for `open`.

use std::{
    fs::{self, File},
    io::{Read as _, Write as _},
    net::SocketAddr,
    path::{Path, PathBuf},
};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::store::sqlite::new_file;

/// The file's name.
const NAME: &str = "server";

/// The address of the page, with the code to get in where one is needed. A fragment reaches no server and no log.
pub(super) fn link(address: SocketAddr, code: Option<&str>) -> String {
    match code {
        Some(code) => format!("http://{address}/#code={code}"),
        None => format!("http://{address}/"),
    }
}

/// The same to one instance.
pub(super) fn link_to(address: SocketAddr, code: Option<&str>, instance: &str) -> String {
    let instance = utf8_percent_encode(instance, NON_ALPHANUMERIC);
    match code {
        Some(code) => format!("http://{address}/#code={code}&i={instance}"),
        None => format!("http://{address}/#/i/{instance}/keys"),
    }
}

/// What this process has told. It holds a lock on the file for as long as it serves, which ends with it however it ends.
pub(super) struct Whereabouts {
    path: PathBuf,
    told: String,
    _locked: Option<File>,
}

impl Whereabouts {
    /// Tells where this process listens; the last of several servers is the one that is found.
    pub(super) fn tell(data_dir: &Path, address: SocketAddr) -> Self {
        let (path, told) = (data_dir.join(NAME), format!("{address}\n{}\n", std::process::id()));
        let beside = data_dir.join(format!(".server-{}", uuid::Uuid::new_v4()));
        let written = new_file(&beside).and_then(|mut file| {
            file.write_all(told.as_bytes())?;
            if cfg!(unix) {
                file.lock()?;
            }
            fs::rename(&beside, &path)?;
            Ok(file)
        });
        if let Err(error) = &written {
            tracing::debug!(%error, "`mindcache open` will not find this server");
        }
        Self { path, told, _locked: written.ok() }
    }

    /// Takes it back, unless another has told since.
    pub(super) fn forget(self) {
        if fs::read_to_string(&self.path).is_ok_and(|told| told == self.told)
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::debug!(%error, "the file of this server stays");
        }
    }
}

/// Where a server of this data folder listens. One that was killed may have left its address to somebody else's program,
/// which must not be asked: the token goes with the question. Where a lock would keep readers away, the word is taken.
pub(super) fn told(data_dir: &Path) -> Option<SocketAddr> {
    let mut file = File::open(data_dir.join(NAME)).ok()?;
    if cfg!(unix) && file.try_lock().is_ok() {
        return None;
    }
    let mut told = String::new();
    file.read_to_string(&mut told).ok()?;
    told.lines().next()?.parse().ok()
}
