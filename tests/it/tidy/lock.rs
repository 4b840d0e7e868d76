//! Rule 9: how many packages there are, which must never be among them, and which stand there twice.

use std::collections::BTreeMap;

/// Most packages in the lock file.
const MOST_PACKAGES: usize = 345;

/// Packages that must not come in, not even through another. TLS is rustls, and what it and tokens reckon with is aws-lc
/// alone; `ring` stands in the lock file as an option of rustls that nobody takes, so `deny.toml` keeps it out.
const BANNED: [&str; 4] = ["openssl-sys", "native-tls", "openssl", "rsa"];

/// Packages that stand there in more than one version, each with its reason.
pub(super) const DUPLICATES: &[(&str, &str)] = &[
    ("base64", "0.22 by jsonwebtoken, 0.23 by all others"),
    ("block-buffer", "one for each digest"),
    ("cpufeatures", "0.2 by sha1, 0.3 by sha2"),
    ("crypto-common", "one for each digest"),
    ("digest", "0.10 by sha1, which opens WebSockets, 0.11 by sha2"),
    (
        "getrandom",
        "0.2 by jsonwebtoken in browsers only, 0.3 by ahash and uuid-simd of the schema validator and by tungstenite, 0.4 by uuid",
    ),
    ("r-efi", "one for each getrandom, built on UEFI only"),
    ("rand", "0.9 by tungstenite, 0.10 by the property tests"),
    (
        "rand_core",
        "0.6 by the signature traits of jsonwebtoken, 0.9 by tungstenite, 0.10 by rand of the property tests",
    ),
    ("syn", "2 by most derive macros, 3 by the newest"),
    ("tower-http", "0.6 by reqwest, 0.7 by us"),
    ("untrusted", "0.7 by aws-lc, 0.9 by the certificates of rustls"),
    ("windows-sys", "0.52 by ring, which nobody takes, 0.61 by all others; built on Windows only"),
];

/// What is wrong with the lock file.
pub(super) fn check(lock: &str, listed: &[(&str, &str)]) -> Vec<String> {
    let mut problems = Vec::new();
    let versions = packages(lock);
    let count: usize = versions.values().map(Vec::len).sum();
    if count > MOST_PACKAGES {
        problems.push(format!("Cargo.lock has {count} packages; the limit is {MOST_PACKAGES}"));
    }
    problems.extend(BANNED.iter().filter(|name| versions.contains_key(*name)).map(|name| format!("{name} is banned")));
    for (name, versions) in versions.iter().filter(|(_, versions)| versions.len() > 1) {
        if !listed.iter().any(|(each, _)| each == name) {
            let all = versions.join(", ");
            problems.push(format!("put this line into DUPLICATES: (\"{name}\", \"why {all}\"),"));
        }
    }
    for (name, reason) in listed {
        if versions.get(name).is_none_or(|versions| versions.len() < 2) {
            problems.push(format!("take {name} out of DUPLICATES: it stands there once or not at all"));
        }
        if reason.is_empty() {
            problems.push(format!("{name} in DUPLICATES needs a reason"));
        }
    }
    problems
}

/// Each package with its versions.
fn packages(lock: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut found: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in lock.split("[[package]]").skip(1) {
        let field = |name: &str| {
            let value = package.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = "));
            value.map(|value| value.trim_matches('"')).unwrap_or_default()
        };
        found.entry(field("name")).or_default().push(field("version"));
    }
    found
}

#[test]
fn too_many_banned_and_doubled_packages_are_found() {
    let package = |name: &str, version: &str| format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n\n");
    let two = package("syn", "1.0.0") + &package("syn", "2.0.0");
    assert_eq!(check(&two, &[("syn", "two generations")]), Vec::<String>::new());
    assert_eq!(check(&two, &[]), ["put this line into DUPLICATES: (\"syn\", \"why 1.0.0, 2.0.0\"),"]);
    assert_eq!(check(&package("rsa", "0.1.0"), &[]), ["rsa is banned"]);
    assert_eq!(check("", &[("syn", "x")]), ["take syn out of DUPLICATES: it stands there once or not at all"]);
    assert_eq!(check(&two, &[("syn", "")]), ["syn in DUPLICATES needs a reason"]);
    let many: String = (0..=MOST_PACKAGES).map(|number| package(&format!("p{number}"), "1")).collect();
    assert_eq!(check(&many, &[]), ["Cargo.lock has 346 packages; the limit is 345"]);
}
