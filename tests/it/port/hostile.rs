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
