//! Files that are damaged, forged or nothing of the kind: refused with the reason, nothing imported by half.

use std::fs::File;

use crate::harness::Env;

/// A store with one key, which nothing here may change.
fn untouched(check: impl Fn(&Env)) {
    let env = Env::new();
    env.cli(&["set", "k", "v"]).ok();
    check(&env);
    assert_eq!(env.cli(&["ls"]).ok(), "k\n");
    assert_eq!(env.cli(&["get", "k"]).ok(), "v");
}

fn refused(env: &Env, file: &str) {
    for args in [&["import", file][..], &["import", file, "--replace"], &["import", file, "--dry-run"]] {
        let output = env.cli(args);
        assert!([1, 2].contains(&output.code), "{args:?}: {}", output.code);
        assert!(output.stderr.contains(file), "{args:?} names the file: {}", output.stderr);
    }
}

#[test]
fn a_truncated_export_is_refused_whole() {
    let source = super::filled();
    for format in super::FORMATS {
        let path = source.path("out");
        source.cli(&["export", path.to_str().unwrap(), "--format", format]).ok();
        let whole = std::fs::read(&path).unwrap();
        untouched(|env| {
            // What ends a tar says nothing.
            let last = whole.iter().rposition(|byte| ![0, b'\n'].contains(byte)).unwrap();
            for length in [whole.len() / 3, whole.len() / 2, last] {
                refused(env, &env.file("cut", &whole[..length]));
            }
        });
    }
}

#[test]
fn what_is_no_export_is_refused() {
    untouched(|env| {
        let many = format!("{{{},\"k\":}}", "\"a\":\"x\",".repeat(300));
        for bad in [
            &b""[..],
            b"\0\0\0\0",
            b"[1,2",
            b"{\"k\":\"\xff\xfe\"}",
            b"\xff\xfe{\0\"\0",
            b"\x7fELF\x02\x01\x01",
            br#"{"k":"1","k":"2"}"#,
            many.as_bytes(),
        ] {
            refused(env, &env.file("bad", bad));
        }
        let sqlite = env.data().join("catalog/instance.db");
        refused(env, sqlite.to_str().unwrap());
        env.cli(&["import", "/no/such/file"]).fails(1);
    });
}

#[test]
fn a_huge_file_of_nothing_is_refused_at_once() {
    untouched(|env| {
        let path = env.path("sparse");
        File::create(&path).unwrap().set_len(200 << 20).unwrap();
        refused(env, path.to_str().unwrap());
    });
}

#[test]
fn a_forged_archive_is_refused_whole() {
    let source = super::filled();
    let path = source.path("out.mindcache");
    source.cli(&["export", path.to_str().unwrap()]).ok();
    let whole = std::fs::read(&path).unwrap();
    untouched(|env| {
        let find = |what: &[u8]| whole.windows(what.len()).position(|window| window == what).unwrap();
        for (what, to) in [
            (&b"blobs/"[..], &b"../../"[..]),
            (b"instances/1/1.ndjson", b"/etc/cron.d/x/1.json"),
            (b"### forged", b"### Forged"),
            (b"## long", b"## Long"),
            (b"\"keys\":7", b"\"keys\":6"),
            (b"\"format_version\":1", b"\"format_version\":9"),
        ] {
            let mut forged = whole.clone();
            let at = find(what);
            forged[at..at + to.len()].copy_from_slice(to);
            refused(env, &env.file("forged.mindcache", &forged));
        }
    });
}

#[test]
fn files_in_other_encodings_and_containers_are_refused() {
    untouched(|env| {
        let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
        let graph = |name: &[u8]| {
            let begin = b"{\"type\":\"entity\",\"name\":\"";
            [&begin[..], name, b"\",\"entityType\":\"e\",\"observations\":[]}\n"].concat()
        };
        let latin: &[u8] =
            b"# MindCache STM Export\n\n## STM Entries\n\n### k\n- **Type**: `text`\n- **Value**:\n```\n\xe9\n```\n";
        for (name, bad) in [
            ("wide.json", wide("{\"k\":\"v\"}")),
            ("wide.md", [b"\xff\xfe".to_vec(), wide("# note")].concat()),
            ("latin.md", latin.to_vec()),
            ("latin.json", b"{\"caf\xe9\":\"v\"}".to_vec()),
            ("latin.jsonl", graph(b"caf\xe9")),
            ("cut.jsonl", [graph(b"a"), b"{\"type\":\"entity\",\"na".to_vec()].concat()),
            // What unpacks to a thousand times its size is not unpacked.
            ("bomb.gz", b"\x1f\x8b\x08\0\0\0\0\0\x02\x03".repeat(100)),
            ("bomb.zip", b"PK\x03\x04\x14\0\0\0\x08\0".repeat(100)),
            ("bomb.zst", b"\x28\xb5\x2f\xfd".repeat(100)),
        ] {
            refused(env, &env.file(name, &bad));
        }
    });
}

#[test]
fn a_value_that_nests_deep_is_a_text_like_any_other() {
    let env = Env::new();
    let value = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let file = env.file("deep.json", format!("{{\"k\":{value}}}").as_bytes());
    env.cli(&["import", &file]).ok();
    assert_eq!(env.cli(&["get", "k"]).ok(), value);
}

#[cfg(unix)]
#[test]
fn links_and_pipes_of_a_folder_of_notes_are_not_followed() {
    use crate::harness::run;
    use std::{os::unix::fs::symlink, process::Command};

    let env = Env::new();
    let secret = env.file("secret.md", b"secret");
    std::fs::create_dir_all(env.path("notes")).unwrap();
    env.file("notes/a.md", b"A");
    symlink(&secret, env.path("notes/link.md")).unwrap();
    symlink(env.path(""), env.path("notes/up")).unwrap();
    let mut make = Command::new("mkfifo");
    make.arg(env.path("notes/pipe.md"));
    run(make, b"").ok();
    env.cli(&["import", env.path("notes").to_str().unwrap()]).ok();
    assert_eq!(env.cli(&["ls"]).ok(), "a\n");
    // A pipe is refused without waiting for what comes out of it.
    env.cli(&["import", env.path("notes/pipe.md").to_str().unwrap()]).fails(2);
    env.cli(&["backup", "--restore", env.path("notes/pipe.md").to_str().unwrap()]).fails(2);
}

#[test]
fn forged_markdown_makes_no_key_that_was_not_exported() {
    let source = super::filled();
    let path = source.path("out.md");
    source.cli(&["export", path.to_str().unwrap()]).ok();
    let whole = std::fs::read_to_string(&path).unwrap();
    untouched(|env| {
        // A fence that closes too early, a key twice, a key less, a line between two keys.
        let at = whole.find("### ").unwrap();
        let second = at + 4 + whole[at + 4..].find("\n### ").unwrap() + 1;
        let forged = [
            whole.replacen("````", "```", 1),
            [&whole[..second], &whole[at..second], &whole[second..]].concat(),
            [&whole[..at], &whole[second..]].concat(),
            [&whole[..second], "and more\n", &whole[second..]].concat(),
        ];
        for bad in forged {
            assert_ne!(bad, whole);
            refused(env, &env.file("forged.md", bad.as_bytes()));
        }
    });
}
