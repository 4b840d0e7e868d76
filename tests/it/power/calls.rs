//! The calls to the system in a trace of strace, with their bytes: what a program did to its files, and when.

use std::{collections::BTreeMap, rc::Rc};

/// A call that came back without an error. Moments are nanoseconds of one clock for all traced programs.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) began: u64,
    pub(super) ended: u64,
    pub(super) act: Act,
}

/// What it did. Writes say where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Act {
    Open {
        path: String,
        creates: bool,
        empties: bool,
    },
    MakeFolder(String),
    Rename(String, String),
    Link(String, String),
    Remove(String),
    Write {
        path: String,
        offset: u64,
        bytes: Rc<[u8]>,
    },
    Resize {
        path: String,
        length: u64,
    },
    Sync(String),
    /// Bytes that went to something without a name in the file system, such as the pipe of the replies.
    Say(Rc<[u8]>),
}

/// What is to be traced: everything that changes files, and the writes of replies.
pub(super) const TRACED: &str = "trace=open,openat,creat,mkdir,mkdirat,rename,renameat,renameat2,link,linkat,symlink,\
     symlinkat,unlink,unlinkat,rmdir,write,writev,pwrite64,pwritev,pwritev2,truncate,ftruncate,fallocate,lseek,\
     fsync,fdatasync,sync_file_range,copy_file_range,sendfile,splice,dup,dup2,dup3,fcntl";

/// Reads the trace of one program, which is one table of open files.
pub(super) fn read(trace: &str) -> Vec<Call> {
    let mut reader = Reader::default();
    let mut calls: Vec<_> = trace.lines().filter_map(|line| reader.line(line)).collect();
    calls.sort_by_key(|call| call.began);
    calls
}

#[derive(Default)]
struct Reader<'t> {
    /// The beginning of a call during which another thread made one, by thread.
    unfinished: BTreeMap<&'t str, (u64, String)>,
    /// Where the next write of an open file goes.
    offsets: BTreeMap<u64, u64>,
}

impl<'t> Reader<'t> {
    fn line(&mut self, line: &'t str) -> Option<Call> {
        let (thread, rest) = line.split_once(' ')?;
        let (moment, text) = rest.trim_start().split_once(' ')?;
        let moment = nanoseconds(moment)?;
        if let Some(begun) = text.strip_suffix(" <unfinished ...>") {
            self.unfinished.insert(thread, (moment, begun.to_owned()));
            return None;
        }
        let resumed = text.strip_prefix("<... ").and_then(|text| text.split_once(" resumed>"));
        let (began, whole) = match resumed {
            Some((_, end)) => self.unfinished.remove(thread).map(|(began, begun)| (began, begun + end))?,
            None => (moment, text.to_owned()),
        };
        let (call, took) = whole.rsplit_once(" <")?;
        let took = nanoseconds(took.strip_suffix('>')?)?;
        // A call told in two lines ended when the second was told, at the latest.
        let ended = if resumed.is_some() { moment } else { began + took };
        let (name, args, result) = taken_apart(call);
        let act = self.act(name, &args, result)?;
        Some(Call { began, ended, act })
    }

    fn act(&mut self, name: &str, args: &[Arg], result: &str) -> Option<Act> {
        let returned: u64 = result.split(['<', ' ']).next()?.parse().ok()?;
        let path = |at: usize| args[at].path();
        Some(match name {
            "openat" => {
                self.offsets.insert(returned, 0);
                let flags = &args[2].plain;
                assert!(!flags.contains("O_APPEND"), "appending is not modelled");
                let (creates, empties) = (flags.contains("O_CREAT"), flags.contains("O_TRUNC"));
                Act::Open { path: path(1), creates, empties }
            }
            "mkdir" => Act::MakeFolder(path(0)),
            "rename" => Act::Rename(path(0), path(1)),
            "link" => Act::Link(path(0), path(1)),
            "linkat" => Act::Link(path(1), path(3)),
            "unlink" | "rmdir" => Act::Remove(path(0)),
            // Relative to an open folder.
            "unlinkat" => Act::Remove(format!("{}/{}", args[0].file()?, path(1))),
            "fsync" | "fdatasync" => Act::Sync(args[0].file()?),
            "ftruncate" => Act::Resize { path: args[0].file()?, length: args[1].number() },
            "pwrite64" => {
                Act::Write { path: args[0].file()?, offset: args[3].number(), bytes: args[1].first(returned) }
            }
            "write" => {
                let bytes = args[1].first(returned);
                match args[0].file().filter(|path| path.starts_with('/')) {
                    Some(path) => {
                        let offset = self.offsets.entry(args[0].number()).or_default();
                        *offset += returned;
                        Act::Write { path, offset: *offset - returned, bytes }
                    }
                    None => Act::Say(bytes),
                }
            }
            "lseek" => {
                self.offsets.insert(args[0].number(), returned);
                return None;
            }
            // Locks and flags of open files; the runtime wakes itself over a pipe.
            "fcntl" | "dup" | "dup2" | "dup3" => return None,
            other => panic!("{other} is not modelled: put it into the model of the disk"),
        })
    }
}

/// An argument: what is plain in it, and the bytes of its string.
#[derive(Debug, Default)]
struct Arg {
    plain: String,
    bytes: Option<Vec<u8>>,
}

impl Arg {
    fn path(&self) -> String {
        String::from_utf8(self.bytes.clone().expect("a path")).expect("paths here are text")
    }

    /// The path of an open file, `9</path>`; nothing when it has no name any more.
    fn file(&self) -> Option<String> {
        let (_, path) = self.plain.split_once('<')?;
        path.strip_suffix('>').map(str::to_owned)
    }

    fn number(&self) -> u64 {
        let digits = self.plain.split('<').next().unwrap_or_default();
        digits.parse().unwrap_or_else(|_| panic!("not a number: {}", self.plain))
    }

    fn first(&self, length: u64) -> Rc<[u8]> {
        let bytes = self.bytes.as_ref().expect("bytes");
        bytes[..usize::try_from(length).expect("a length")].into()
    }
}

/// The name of a call, its arguments, its result.
fn taken_apart(call: &str) -> (&str, Vec<Arg>, &str) {
    let (name, rest) = call.split_once('(').unwrap_or((call, ""));
    let mut args = vec![Arg::default()];
    let mut depth = 0;
    let mut chars = rest.char_indices();
    while let Some((at, c)) = chars.next() {
        let arg = args.last_mut().expect("it begins with one");
        match c {
            '"' => arg.bytes = Some(string(&mut chars)),
            ')' if depth == 0 => return (name, args, rest[at + 1..].trim_start().trim_start_matches("= ")),
            ',' if depth == 0 => args.push(Arg::default()),
            ' ' => {}
            _ => {
                depth += i32::from("([{".contains(c)) - i32::from(")]}".contains(c));
                arg.plain.push(c);
            }
        }
    }
    (name, args, "")
}

/// A string with the escapes of C, up to its closing quote.
fn string(chars: &mut std::str::CharIndices<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some((_, c)) = chars.next() {
        match c {
            '"' => break,
            '\\' => {
                let escaped = chars.next().map_or('\\', |(_, c)| c);
                bytes.push(match escaped {
                    'n' => b'\n',
                    't' => b'\t',
                    'r' => b'\r',
                    'v' => 0x0b,
                    'f' => 0x0c,
                    '0'..='7' => octal(escaped, chars),
                    other => u8::try_from(other).expect("an escape is ASCII"),
                });
            }
            plain => bytes.push(u8::try_from(plain).expect("strace writes ASCII")),
        }
    }
    bytes
}

/// One to three digits.
fn octal(first: char, chars: &mut std::str::CharIndices<'_>) -> u8 {
    let digit = |c: char| c.to_digit(8).and_then(|digit| u8::try_from(digit).ok());
    let mut value = digit(first).unwrap_or_default();
    for _ in 0..2 {
        let rest = chars.as_str();
        let Some(next) = rest.chars().next().and_then(digit) else { break };
        value = (value << 3) | next;
        chars.next();
    }
    value
}

/// `seconds.nanoseconds`.
fn nanoseconds(text: &str) -> Option<u64> {
    let (seconds, rest) = text.split_once('.')?;
    let (seconds, rest): (u64, u64) = (seconds.parse().ok()?, rest.parse().ok()?);
    Some(seconds * 1_000_000_000 + rest)
}

#[test]
fn a_trace_is_read_with_its_bytes() {
    let trace = r#"7 1.000000001 openat(AT_FDCWD</d>, "/d/a", O_RDWR|O_CREAT|O_CLOEXEC, 0600) = 9</d/a> <0.000000010>
7 1.000000020 write(9</d/a>, "\0\1a\"\\\n\3777", 8) = 8 <0.000000010>
7  1.000000040 write(9</d/a>, "two)", 4 <unfinished ...>
8 1.000000050 pwrite64(9</d/a>, "x, y", 4, 512) = 4 <0.000000005>
7 1.000000090 <... write resumed>) = 4 <0.000000050>
8 1.000000100 fsync(9</d/a>) = -1 EIO (Input/output error) <0.000000005>
8 1.000000110 write(1<pipe:[5]>, "{}", 2) = 2 <0.000000005>
8 1.000000120 write(9</d/a>(deleted), "x", 1) = 1 <0.000000005>
8 1.000000130 unlinkat(4</d>, "a", 0) = 0 <0.000000005>
8 1.000000140 +++ exited with 0 +++
"#;
    let calls = read(trace);
    let write = |offset: u64, bytes: &[u8]| Act::Write { path: "/d/a".to_owned(), offset, bytes: bytes.into() };
    let acts: Vec<_> = calls.iter().map(|call| call.act.clone()).collect();
    assert_eq!(
        acts,
        [
            Act::Open { path: "/d/a".to_owned(), creates: true, empties: false },
            write(0, b"\0\x01a\"\\\n\xff7"),
            write(8, b"two)"),
            write(512, b"x, y"),
            Act::Say(b"{}".as_slice().into()),
            Act::Say(b"x".as_slice().into()),
            Act::Remove("/d/a".to_owned()),
        ]
    );
    assert_eq!((calls[2].began, calls[2].ended), (1_000_000_040, 1_000_000_090));
    assert_eq!((calls[3].began, calls[3].ended), (1_000_000_050, 1_000_000_055));
}
