//! The benches run and say what they found; how fast anything is, no test asserts.

use serde_json::Value;

use crate::harness::{Env, mcp::members};

/// What a quick run prints, a report for each table.
fn quick(bench: &str) -> Value {
    let env = Env::new();
    let folder = env.path("bench");
    let folder = folder.to_str().unwrap();
    let mut args = vec!["bench"];
    args.extend(bench.split(' '));
    let found = env.cli(&[&args[..], &["--quick", "--json", "--dir", folder]].concat()).json();
    let left = std::fs::read_dir(folder).unwrap().count();
    assert_eq!(left, 0, "bench {bench} leaves nothing behind");
    found
}

/// Every row of a report has these figures; those of CPU time are known on Linux alone.
fn rows<'a>(found: &'a Value, report: &str, figures: &[&str]) -> &'a [Value] {
    let report = &found[report];
    assert!(report["about"].is_string() && report["ratios"].is_object(), "{report}");
    let rows = report["rows"].as_array().unwrap();
    for row in rows {
        assert!(row["what"].is_string(), "{row}");
        for figure in figures.iter().filter(|figure| cfg!(target_os = "linux") || !figure.contains("cpu")) {
            assert!(row[figure].is_number(), "{figure} in {row}");
        }
    }
    rows
}

#[test]
fn calls_are_measured_over_pipes_and_http_beside_an_echo() {
    let found = quick("calls");
    assert_eq!(members(&found), ["calls", "calls_http"]);
    let figures = ["calls_per_s", "p50_us", "p99_us", "cpu_us_per_call"];
    assert_eq!(rows(&found, "calls", &figures).len(), 20);
    assert_eq!(rows(&found, "calls_http", &figures).len(), 10);
    for (report, ratio) in [("calls", "read64_pipe_rate"), ("calls", "read_own_rate"), ("calls_http", "read64_rate")] {
        assert!(found[report]["ratios"][ratio].is_number(), "{ratio} in {found}");
    }
}

#[test]
fn a_start_and_a_command_are_timed_beside_a_bare_process() {
    let found = quick("cold");
    assert_eq!(members(&found), ["cold", "cold_get"]);
    assert_eq!(rows(&found, "cold", &["tools_list_ms"]).len(), 3);
    assert_eq!(rows(&found, "cold_get", &["wall_ms", "wall_p90_ms", "cpu_ms"]).len(), 2);
    assert!(found["cold_get"]["ratios"]["wall_over_bare"].is_number(), "{found}");
}

#[test]
fn the_list_of_tools_is_timed_and_weighed() {
    let found = quick("lists");
    assert_eq!(rows(&found, "lists", &["p50_us", "p99_us", "tools", "kib"]).len(), 2);
    assert!(found["lists"]["ratios"]["growth"].is_number(), "{found}");
}

#[test]
fn pages_by_rank_are_timed_beside_bare_queries() {
    let found = quick("browse");
    assert_eq!(rows(&found, "browse", &["p50_us", "p99_us"]).len(), 8);
    for ratio in ["rank", "part", "recent", "write", "write_p99"] {
        assert!(found["browse"]["ratios"][ratio].is_number(), "{ratio} in {found}");
    }
}

#[test]
fn push_is_measured_as_latency_burst_and_idle_cost() {
    let found = quick("push");
    assert_eq!(members(&found), ["push", "push_burst", "push_idle"]);
    assert_eq!(rows(&found, "push", &["p50_ms", "p99_ms", "max_ms", "since_request_ms"]).len(), 5);
    for row in rows(&found, "push", &[]) {
        assert!(row["since_request_ms"].as_f64().unwrap() > 0.0, "no notification comes before its write: {row}");
    }
    let bursts = rows(&found, "push_burst", &["writes", "writes_ms", "notifications", "after_the_last"]);
    assert_eq!(bursts.len(), 2);
    assert_eq!(rows(&found, "push_idle", &["cpu_ms", "percent_of_a_core"]).len(), 3);
}

#[test]
fn a_question_is_measured_beside_a_bare_table_and_beside_writers() {
    let found = quick("search");
    assert_eq!(rows(&found, "search", &[]).len(), 4);
    for ratio in ["over_bare", "writes_kept", "current_s"] {
        assert!(found["search"]["ratios"][ratio].is_number(), "{ratio} in {found}");
    }
}

#[test]
fn each_format_is_exported_and_imported_with_its_time_and_memory() {
    let found = quick("port");
    assert_eq!(rows(&found, "port", &["seconds"]).len(), 9);
    assert!(found["port"]["ratios"]["import_over_bare"].is_number(), "{found}");
}

#[test]
fn rest_is_measured_beside_bare_handlers_and_with_many_keys_and_instances() {
    let found = quick("rest");
    assert_eq!(members(&found), ["rest", "rest_crowd"]);
    let figures = ["requests_per_s", "p50_us", "p99_us", "cpu_us_per_request"];
    assert_eq!(rows(&found, "rest", &figures).len(), 18);
    assert_eq!(rows(&found, "rest_crowd", &figures).len(), 8);
    for (report, ratio) in [("rest", "read16_rate"), ("rest", "write_by_key"), ("rest_crowd", "instances_growth")] {
        assert!(found[report]["ratios"][ratio].is_number() || !cfg!(target_os = "linux"), "{ratio} in {found}");
    }
}

#[test]
fn sync_is_measured_as_sets_pings_fan_out_idle_and_stalled_sockets() {
    // One by one: together they would take longer than a command may here.
    let parts = ["sync sets", "sync pings", "sync fanout", "sync idle", "sync stalled"].map(quick);
    let all: serde_json::Map<String, Value> = parts.iter().flat_map(|part| part.as_object().unwrap().clone()).collect();
    let found = Value::Object(all);
    assert_eq!(members(&found), ["sync", "sync_fanout", "sync_idle", "sync_ping", "sync_stalled"]);
    assert_eq!(rows(&found, "sync", &["p50_ms", "p99_ms"]).len(), 18);
    assert_eq!(rows(&found, "sync_ping", &["p50_ms", "p99_ms"]).len(), 5);
    assert_eq!(rows(&found, "sync_fanout", &["messages_per_s", "p50_ms", "p99_ms", "bytes"]).len(), 4);
    assert_eq!(rows(&found, "sync_idle", &[]).len(), 3);
    assert_eq!(rows(&found, "sync_stalled", &["messages_per_s", "p50_ms", "p99_ms"]).len(), 2);
    let ratios = [
        ("sync", "own_disk_1"),
        ("sync", "slow_disk_each_of_100"),
        ("sync_ping", "slow_flood_p50"),
        ("sync_fanout", "rate"),
        ("sync_stalled", "p99"),
        ("sync_stalled", "taken"),
    ];
    for (report, ratio) in ratios {
        assert!(found[report]["ratios"][ratio].is_number(), "{ratio} in {found}");
    }
    // As far as the system tells them.
    for ratio in ["kib_per_socket", "files"] {
        assert!(found["sync_idle"]["ratios"][ratio].is_number() || !cfg!(target_os = "linux"), "{ratio} in {found}");
    }
}
