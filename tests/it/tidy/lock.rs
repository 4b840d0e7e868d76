//! Rule 9: how many packages there are, which must never be among them, and which stand there twice.

use std::collections::BTreeMap;

/// Most packages in the lock file.
const MOST_PACKAGES: usize = 340;

/// Packages that must not come in, not even through another.
const BANNED: [&str; 5] = ["openssl-sys", "native-tls", "aws-lc-sys", "ring", "rustls"];

/// Packages that stand there in more than one version, each with its reason.
pub(super) const DUPLICATES: &[(&str, &str)] = &[
    ("getrandom", "0.3 by ahash and uuid-simd of the schema validator, 0.4 by uuid and tempfile"),
    ("r-efi", "one for each getrandom, built on UEFI only"),
    ("syn", "2 by most derive macros, 3 by the newest"),
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
    assert_eq!(check(&package("ring", "0.1.0"), &[]), ["ring is banned"]);
    assert_eq!(check("", &[("syn", "x")]), ["take syn out of DUPLICATES: it stands there once or not at all"]);
    assert_eq!(check(&two, &[("syn", "")]), ["syn in DUPLICATES needs a reason"]);
    let many: String = (0..=MOST_PACKAGES).map(|number| package(&format!("p{number}"), "1")).collect();
    assert_eq!(check(&many, &[]), ["Cargo.lock has 341 packages; the limit is 340"]);
}
