//! Where the server of a data folder listens, and its process: a small file in it, for `open`.

use std::{
    fs,
    io::Write as _,
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

/// What this process has told.
pub(super) struct Found {
    path: PathBuf,
    told: String,
}

impl Found {
    /// Tells where this process listens; the last of several servers is the one that is found.
    pub(super) fn tell(data_dir: &Path, address: SocketAddr) -> Self {
        let found = Self { path: data_dir.join(NAME), told: format!("{address}\n{}\n", std::process::id()) };
        let beside = data_dir.join(format!(".server-{}", uuid::Uuid::new_v4()));
        let written = new_file(&beside)
            .and_then(|mut file| file.write_all(found.told.as_bytes()))
            .and_then(|()| fs::rename(&beside, &found.path));
        if let Err(error) = written {
            tracing::debug!(%error, "`mindcache open` will not find this server");
        }
        found
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

/// Where a server of this data folder said that it listens.
pub(super) fn told(data_dir: &Path) -> Option<SocketAddr> {
    fs::read_to_string(data_dir.join(NAME)).ok()?.lines().next()?.parse().ok()
}
