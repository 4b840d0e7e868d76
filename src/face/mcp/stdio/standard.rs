//! Opening the standard streams the cheapest way that needs no unsafe code.
//!
//! Tokio's own handles pass every read and write to a thread and back, which costs several times
//! the rest of a call. Clients start servers over pipes or, where they run on Node.js or asyncio,
//! over socket pairs, and the reactor can drive both.
//!
//! The reactor needs `O_NONBLOCK`, which belongs to the open file description, not to the
//! descriptor. A pipe is therefore opened anew through `/proc`, which makes a description of our
//! own. A socket cannot be: there the flag is also seen by a wrapper that passed its own streams
//! on to this process. The client's end is another description and keeps its flags, and servers
//! on Node.js set the same flag, so wrappers live with it. Terminals, files and whatever else may
//! be shared with programs that do not expect the flag are left to Tokio's handles.

use super::{StandardInput, StandardOutput};

#[cfg(unix)]
use std::os::fd::AsFd;
#[cfg(target_os = "linux")]
use tokio::net::unix::pipe;

pub(super) fn input() -> StandardInput {
    #[cfg(unix)]
    if let Some(input) = reader(std::io::stdin()) {
        return input;
    }
    Box::new(tokio::io::stdin())
}

pub(super) fn output() -> StandardOutput {
    #[cfg(unix)]
    if let Some(output) = writer(std::io::stdout()) {
        return output;
    }
    Box::new(tokio::io::stdout())
}

#[cfg(unix)]
pub(super) fn reader(stream: impl AsFd) -> Option<StandardInput> {
    #[cfg(target_os = "linux")]
    if let Some(path) = pipe_path(&stream)
        && let Ok(pipe) = pipe::OpenOptions::new().open_receiver(path)
    {
        return Some(Box::new(pipe));
    }
    Some(Box::new(unix_socket(&stream).ok()?))
}

#[cfg(unix)]
pub(super) fn writer(stream: impl AsFd) -> Option<StandardOutput> {
    #[cfg(target_os = "linux")]
    if let Some(path) = pipe_path(&stream)
        && let Ok(pipe) = pipe::OpenOptions::new().open_sender(path)
    {
        return Some(Box::new(pipe));
    }
    Some(Box::new(unix_socket(&stream).ok()?))
}

/// Where to open a pipe again. Anything else is left unopened: that may have effects.
#[cfg(target_os = "linux")]
fn pipe_path(stream: &impl AsFd) -> Option<String> {
    use std::os::fd::AsRawFd as _;
    use std::os::unix::fs::FileTypeExt as _;

    let file = std::fs::File::from(stream.as_fd().try_clone_to_owned().ok()?);
    let is_pipe = file.metadata().ok()?.file_type().is_fifo();
    is_pipe.then(|| format!("/proc/self/fd/{}", stream.as_fd().as_raw_fd()))
}

#[cfg(unix)]
fn unix_socket(stream: &impl AsFd) -> std::io::Result<tokio::net::UnixStream> {
    let socket = std::os::unix::net::UnixStream::from(stream.as_fd().try_clone_to_owned()?);
    // Fails for whatever is not a socket of this family.
    socket.local_addr()?;
    socket.set_nonblocking(true)?;
    tokio::net::UnixStream::from_std(socket)
}
