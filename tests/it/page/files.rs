//! What is served: the page and its files, their headers, and nothing under an old name.

use super::served;
use crate::harness::Env;

const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
    connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'";

#[test]
fn the_page_is_public_and_its_files_are_kept_for_ever_under_their_hash() {
    let env = Env::new();
    let (server, _) = served(&env, &[]);
    let page = server.get("/", &[]);
    assert_eq!((page.status, page.header("cache-control")), (200, Some("no-cache")));
    let tag = page.header("etag").unwrap().to_owned();
    let again = server.get("/", &[("If-None-Match", &tag)]);
    assert_eq!((again.status, again.header("content-security-policy")), (304, Some(CSP)));
    let text = page.text();
    let paths: Vec<_> = text.split('"').filter(|part| part.starts_with("/page/")).collect();
    assert!(paths.len() >= 6 && paths.iter().all(|path| path.contains(tag.trim_matches('"'))), "{paths:?}");
    assert!(!text.contains("http://") || !text.contains("src=\"http"), "nothing comes from elsewhere");
    for path in &paths {
        let file = server.get(path, &[]);
        assert_eq!((file.status, file.header("cache-control")), (200, Some("public, max-age=31536000, immutable")));
        let kind = file.header("content-type").unwrap();
        assert!(
            kind.starts_with(if path.contains("/css/") { "text/css" } else { "text/javascript" }),
            "{path}: {kind}"
        );
        let small = server.get(path, &[("Accept-Encoding", "br, gzip")]);
        assert_eq!(small.header("content-encoding"), Some("gzip"));
        assert!(small.body.len() < file.body.len() && small.body.starts_with(&[0x1f, 0x8b]), "{path}");
    }
    for answer in [page, server.get(paths[0], &[]), server.get("/page/0000000000000000/main.mjs", &[])] {
        for (name, value) in [
            ("content-security-policy", CSP),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{name}");
        }
    }
    assert_eq!(server.get("/page/0000000000000000/main.mjs", &[]).status, 404);
    for path in ["/page/", "/page/x/../../token", "/index.html", "/token"] {
        assert!([401, 404].contains(&server.get(path, &[]).status), "{path}");
    }
    assert_eq!(server.get("/", &[("Host", "evil.example")]).status, 403);
}
