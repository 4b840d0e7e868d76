//! Writing a file beside its place and putting it there: it is whole, or what was there is untouched.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write as _},
    path::Path,
};

use crate::store::sqlite::new_file;

use super::output::Failure;

/// Writes it, syncs it and puts it there; on a failure nothing is left of it. A file that is replaced keeps who may
/// read it; a new one is for this user alone when it `is_private`.
pub(super) fn beside<T>(
    path: &Path,
    is_private: bool,
    write: impl FnOnce(&mut BufWriter<File>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let told = |error: io::Error| Failure::Other(anyhow::anyhow!("cannot write {}: {error}", path.display()));
    let name = path.file_name().ok_or_else(|| Failure::Usage(format!("{} is no file", path.display())))?;
    let mut new = name.to_owned();
    new.push(format!(".new-{}", uuid::Uuid::new_v4().simple()));
    let new = path.with_file_name(new);
    let replaced = fs::metadata(path).ok();
    let file = if is_private || replaced.is_some() { new_file(&new) } else { File::create_new(&new) };
    let mut file = BufWriter::with_capacity(256 * 1024, file.map_err(told)?);
    let written = (|| {
        if let Some(replaced) = replaced {
            file.get_ref().set_permissions(replaced.permissions()).map_err(told)?;
        }
        let written = write(&mut file)?;
        file.flush().and_then(|()| file.get_ref().sync_all()).and_then(|()| fs::rename(&new, path)).map_err(told)?;
        Ok(written)
    })();
    if written.is_err() {
        // It says why by itself.
        drop(fs::remove_file(&new));
    }
    written
}
