//! Whether the clients of this machine can read their configs, and whether these lead to this binary.

use crate::config::Settings;

use super::{
    super::clients::{Format, Found, look},
    Check,
};

/// One check for each config that is there.
pub(super) fn checks(settings: &Settings) -> Vec<Check> {
    let found = match look(settings) {
        Ok(found) => found,
        // Where there is no home folder there are no clients.
        Err(error) => return vec![Check::new("clients", format!("not looked at: {error:#}"), Vec::new())],
    };
    let checks: Vec<Check> = found.into_iter().filter(|found| found.is_there).map(check).collect();
    if checks.is_empty() {
        let remedy = "none found on this machine; mindcache install --list shows where they would be";
        return vec![Check::new("clients", remedy, Vec::new())];
    }
    checks
}

fn check(found: Found) -> Check {
    let Found { client, path, entries, faults, .. } = found;
    let mut said: Vec<String> =
        entries.iter().map(|(name, leads_to)| format!("\"{name}\" leads to {leads_to}")).collect();
    if client.format == Format::Yaml {
        said.push("YAML, not looked into".into());
    } else if said.is_empty() && faults.is_empty() {
        said.push(format!("without mindcache; mindcache install --client {} puts it in", client.name));
    }
    said.insert(0, path.display().to_string());
    Check::new(client.title, said.join(", "), faults)
}
