//! What `bench` without a name prints: one table of the figures that matter, each beside its baseline.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::figures::ratio;
use super::report::{Report, rounded, show, write_aligned};

/// A figure and its baseline, found in the tables of the benches.
struct Line {
    what: &'static str,
    report: &'static str,
    column: &'static str,
    row: Row,
    baseline: Row,
    /// What the baseline is, in words.
    beside: &'static str,
    /// The bar that the ratio, or the figure where it says so, is held to; or empty.
    aim: &'static str,
}

/// A row, by how its name begins and ends; the first that does.
struct Row(&'static str, &'static str);

#[rustfmt::skip]
const LINES: &[Line] = &[
    line("start to tools/list, ms", "cold", "tools_list_ms", Row("", "keys"), Row("bare", ""), "bare process", ""),
    line("mindcache get KEY, ms", "cold_get", "wall_ms", Row("mindcache get", ""), Row("bare", ""), "bare process", ""),
    line("mindcache get KEY, CPU ms", "cold_get", "cpu_ms", Row("mindcache get", ""), Row("bare", ""), "bare process", "figure at most 8"),
    line("durable write, 1 caller, ms", "write", "p50_ms", Row("1 caller", ""), Row("flush", ""), "bare fsync", ""),
    line("durable writes/s, 64 callers", "write", "writes_per_s", Row("64 callers", ""), Row("flush", ""), "bare fsync", "the more the better"),
    line("read over stdio, CPU us", "calls", "cpu_us_per_call", Row("read, ", ", 1 in flight"), Row("echo", ", 1 in flight"), "echo tool", "at most 1.5"),
    line("write over stdio, CPU us", "calls", "cpu_us_per_call", Row("write, ", ", 64 in flight"), Row("echo", ", 64 in flight"), "echo tool", "at most 3"),
    line("read over HTTP, CPU us", "calls_http", "cpu_us_per_call", Row("read, ", ", 1 in flight"), Row("echo", ", 1 in flight"), "echo tool", ""),
    line("list page, many keys, us", "scale", "p50_us", Row("list page", MANY), Row("list page", FEW), "a hundredth of the keys", "at most 2"),
    line("read, many keys, us", "scale", "p50_us", Row("read", MANY), Row("read", FEW), "a hundredth of the keys", "at most 2"),
    line("write, many keys, us", "scale", "p50_us", Row("write", MANY), Row("write", FEW), "a hundredth of the keys", "at most 2"),
    line("first write of an idle instance, ms", "instances", "p50_ms", Row("first write", ""), Row("flush", ""), "bare fsync", ""),
    line("tools/list, 500 keys, us", "lists", "p50_us", Row("500", ""), Row("10 ", ""), "10 keys", "at most 1.5"),
    line("search, us", "search", "p50_us", Row("", "over stdio"), Row("the same in a bare", ""), "bare FTS5 table", ""),
    line("import of JSON, s", "port", "seconds", Row("import, json", ""), Row("bare SQLite, one", ""), "bare SQLite", ""),
    line("export to JSON, s", "port", "seconds", Row("export, json", ""), Row("bare SQLite, all", ""), "bare SQLite", ""),
    line("read over REST, CPU us", "rest", "cpu_us_per_request", Row("read, mindcache,", " 1 connection"), Row("read, bare", " 1 connection"), "bare handler", ""),
    line("durable write over REST, us", "rest", "p50_us", Row("write, mindcache,", " 1 connection"), Row("write, bare", " 1 connection"), "bare handler", ""),
    line("REST read, 50 keys and instances, us", "rest_crowd", "p50_us", Row("read", CROWD), Row("read", " 10 keys and instances"), "10 of each", "at most 1.5"),
    line("durable sets/s over WebSockets", "sync", "sets_per_s", Row("1 instance, 64", "flight"), Row("flush", "KiB"), "bare fsync", "the more the better"),
    line("ping, another instance flooded, ms", "sync_ping", "p50_ms", Row("another", "flooded"), Row("quiet", ""), "without the flood", ""),
    line("fan-out to many sockets, messages/s", "sync_fanout", "messages_per_s", Row("mindcache", "64 under way"), Row("bare", "64 under way"), "bare broadcast", "at least 0.3"),
    line("write to seen by another process, ms", "push", "since_request_ms", Row("stdio, written by another", ""), Row("echo", ""), "echo tool", ""),
];

/// `scale` with `--quick`, which the table always has.
const MANY: &str = "10,000 keys";
const FEW: &str = "100 keys";
/// The same of `rest`.
const CROWD: &str = "49 keys and instances";

#[expect(clippy::too_many_arguments, reason = "a line of the table above")]
const fn line(
    what: &'static str,
    report: &'static str,
    column: &'static str,
    row: Row,
    baseline: Row,
    beside: &'static str,
    aim: &'static str,
) -> Line {
    Line { what, report, column, row, baseline, beside, aim }
}

/// A line with its two figures.
struct Found {
    line: &'static Line,
    figure: Option<f64>,
    baseline: Option<f64>,
}

impl Found {
    fn ratio(&self) -> Option<f64> {
        ratio(self.figure, self.baseline)
    }
}

/// The figures that matter, out of all that was measured.
pub(super) struct Summary(Vec<Found>);

impl Summary {
    pub(super) fn of(reports: &[Report]) -> Self {
        let found = |line: &'static Line| {
            let report = reports.iter().find(|report| report.name == line.report);
            let figure = |row: &Row| report?.figure(|name| row.is(name), line.column);
            Found { line, figure: figure(&line.row), baseline: figure(&line.baseline) }
        };
        Self(LINES.iter().map(found).collect())
    }

    /// The table as JSON, a row an object.
    pub(super) fn to_json(&self) -> Value {
        let row = |found: &Found| {
            json!({
                "what": found.line.what,
                "figure": found.figure.map(rounded),
                "baseline": found.baseline.map(rounded),
                "beside": found.line.beside,
                "ratio": found.ratio().map(rounded),
                "aim": found.line.aim,
            })
        };
        self.0.iter().map(row).collect()
    }

    /// The table for a person.
    pub(super) fn write_table(&self, out: &mut dyn Write) -> io::Result<()> {
        let heading = ["", "mindcache", "baseline", "ratio", "beside", "aim"].map(str::to_owned);
        let mut lines = vec![heading.to_vec()];
        for found in &self.0 {
            lines.push(vec![
                found.line.what.to_owned(),
                show(found.figure, digits(found.figure)),
                show(found.baseline, digits(found.baseline)),
                show(found.ratio(), 2),
                found.line.beside.to_owned(),
                found.line.aim.to_owned(),
            ]);
        }
        write_aligned(out, &lines)
    }
}

/// Three digits that count.
fn digits(figure: Option<f64>) -> usize {
    match figure {
        Some(figure) if figure >= 100.0 => 0,
        Some(figure) if figure >= 10.0 => 1,
        _ => 2,
    }
}

impl Row {
    fn is(&self, name: &str) -> bool {
        name.starts_with(self.0) && name.ends_with(self.1)
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::Column;
    use super::*;

    const COLUMNS: &[Column] = &[
        Column { key: "wall_ms", heading: "wall ms", decimals: 1 },
        Column { key: "cpu_ms", heading: "CPU ms", decimals: 1 },
    ];

    #[test]
    fn a_figure_stands_beside_its_baseline_and_the_unknown_is_a_dash() {
        let rows = vec![
            ("bare process (--version)".to_owned(), vec![Some(2.0), None]),
            ("mindcache get KEY".to_owned(), vec![Some(6.5), Some(123.4)]),
        ];
        let report = Report { name: "cold_get", about: String::new(), columns: COLUMNS, rows, ratios: Vec::new() };
        let summary = Summary::of(&[report]);
        let mut table = Vec::new();
        summary.write_table(&mut table).unwrap();
        let table = String::from_utf8(table).unwrap();
        let words = |begin: &str| {
            let line = table.lines().find(|line| line.trim_start().starts_with(begin)).unwrap();
            line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(words("mindcache get KEY, ms")[4..], ["6.50", "2.00", "3.25", "bare", "process"]);
        assert_eq!(words("mindcache get KEY, CPU")[5..8], ["123", "-", "-"]);
        assert_eq!(summary.to_json()[1]["ratio"], json!(3.25));
        assert_eq!(summary.to_json()[0]["figure"], Value::Null);
    }
}
