//! The three pipes of a child process, each with a thread of its own, so that no test hangs on a full one.

use std::{
    io::{BufRead, BufReader, Read, Write},
    process::{ChildStderr, ChildStdin, ChildStdout},
    sync::{
        Arc, Mutex,
        mpsc::{self, Receiver, Sender},
    },
    thread::{self, JoinHandle},
};

use serde_json::Value;

/// Writes what is sent.
pub(super) fn write_lines(mut stdin: ChildStdin) -> Sender<Vec<u8>> {
    let (sender, receiver) = mpsc::channel::<Vec<u8>>();
    thread::spawn(move || {
        for bytes in receiver {
            if stdin.write_all(&bytes).and_then(|()| stdin.flush()).is_err() {
                break;
            }
        }
    });
    sender
}

/// Reads a message a line; what is none comes as the line.
pub(super) fn read_messages(stdout: ChildStdout) -> Receiver<Result<Value, String>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut lines = BufReader::new(stdout);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            // Only a line that was written whole is a message: a killed process may leave a piece of one.
            if line.ends_with(b"\n") {
                let message = serde_json::from_slice(&line).map_err(|_| String::from_utf8_lossy(&line).into_owned());
                if sender.send(message).is_err() {
                    break;
                }
            }
            line.clear();
        }
    });
    receiver
}

/// Reads everything.
pub(super) fn collect(mut stderr: ChildStderr) -> (Arc<Mutex<String>>, JoinHandle<()>) {
    let collected = Arc::new(Mutex::new(String::new()));
    let copy = Arc::clone(&collected);
    let reader = thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = stderr.read(&mut buffer) {
            let piece = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default()).into_owned();
            copy.lock().expect("no other holder panics").push_str(&piece);
        }
    });
    (collected, reader)
}
