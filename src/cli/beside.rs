//! Writing a file beside its place and putting it there: it is whole, or what was there is untouched.

use std::{
    fs::{self, File},
    io::BufWriter,
    path::Path,
};

use super::{output::Failure, whole::WholeFile};

/// Writes it, syncs it and puts it there; on a failure nothing is left of it. A file that is replaced keeps who may
/// read it; a new one is for this user alone when it `is_private`.
pub(super) fn beside<T>(
    path: &Path,
    is_private: bool,
    write: impl FnOnce(&mut BufWriter<File>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let replaced = fs::metadata(path).ok();
    let mut file = WholeFile::begin(path, is_private || replaced.is_some())?;
    if let Some(replaced) = replaced {
        file.out().get_ref().set_permissions(replaced.permissions())?;
    }
    let written = write(file.out())?;
    file.put()?;
    Ok(written)
}
