//! `bench port`: importing and exporting many keys in each format, beside bare SQLite writing and reading the same rows:
//! time, and the most memory that the command ever had.
#![expect(clippy::disallowed_methods, reason = "a bench measures time")]

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rusqlite::Connection;

use super::Plan;
use super::client::same_binary_alone;
use super::figures::{grouped, ratio};
use super::report::{Column, Ratio, Report};
use super::scratch::Scratch;
use super::texts::text;
use super::usage::peak_mib;
use super::workload::{filled_with, key};

const COLUMNS: &[Column] = &[
    Column { key: "seconds", heading: "s", decimals: 2 },
    Column { key: "mib", heading: "file MiB", decimals: 1 },
    Column { key: "peak_mib", heading: "peak MiB", decimals: 1 },
];
const KEYS: u64 = 100_000;
const FORMATS: [&str; 3] = ["json", "markdown", "archive"];
/// How often the memory of the command is looked at.
const LOOK: Duration = Duration::from_millis(2);

/// What one command took.
struct Run {
    seconds: f64,
    peak_mib: Option<f64>,
}

/// Exports a store in each format, and imports each file into an empty store; one import replaces.
pub(super) fn run(plan: &Plan) -> anyhow::Result<Report> {
    let keys = if plan.quick { 2_000 } else { KEYS };
    let store = filled_with(&plan.dir, keys, text)?;
    let mut rows = Vec::new();
    let mut ratios = Vec::new();
    let (bare_write, bare_read) = bare(&store, keys)?;
    let row = |name: String, seconds, mib, peak| (name, vec![Some(seconds), mib, peak]);
    rows.push(row("bare SQLite, one transaction".to_owned(), bare_write, None, None));
    rows.push(row("bare SQLite, all rows to a file".to_owned(), bare_read, None, None));
    let mut most: Option<f64> = None;
    for format in FORMATS {
        let file = store.file(&format!("export.{format}"));
        let name = file.to_str().context("the folder has a name that is not Unicode")?;
        let out = command(&store, &["export", name, "--format", format])?;
        let mib = mib(&file)?;
        rows.push(row(format!("export, {format}"), out.seconds, Some(mib), out.peak_mib));
        let empty = Scratch::new(&plan.dir)?;
        let back = command(&empty, &["import", name])?;
        rows.push(row(format!("import, {format}"), back.seconds, Some(mib), back.peak_mib));
        most = [most, out.peak_mib, back.peak_mib].into_iter().flatten().reduce(f64::max);
        if format == "json" {
            ratios.push(figure(
                "import_over_bare",
                "import of JSON over bare writes",
                ratio(Some(back.seconds), Some(bare_write)),
                "",
            ));
            ratios.push(figure(
                "export_over_bare",
                "export of JSON over bare reads",
                ratio(Some(out.seconds), Some(bare_read)),
                "",
            ));
            let again = command(&empty, &["import", name, "--replace"])?;
            rows.push(row("import --replace, json".to_owned(), again.seconds, Some(mib), again.peak_mib));
            ratios.push(figure("replace_peak_mib", "peak MiB of one undoable change", again.peak_mib, "at most 100"));
        }
    }
    ratios.push(figure("peak_mib", "peak MiB of the others", most, "at most 100"));
    let about = format!("{} keys of 30 words, one run each", grouped(keys));
    Ok(Report { name: "port", about, columns: COLUMNS, rows, ratios })
}

fn figure(key: &'static str, label: &str, value: Option<f64>, aim: &'static str) -> Ratio {
    Ratio { key, label: label.to_owned(), value, aim }
}

fn mib(file: &Path) -> anyhow::Result<f64> {
    Ok(super::figures::number(fs::metadata(file)?.len()) / (1024.0 * 1024.0))
}

/// Runs a command on a store to its end.
fn command(store: &Scratch, args: &[&str]) -> anyhow::Result<Run> {
    let mut command = same_binary_alone()?;
    command.args(args).env("MINDCACHE_DATA_DIR", store.store());
    let begun = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
    let mut peak = None;
    let status = loop {
        peak = peak_mib(child.id()).or(peak);
        if let Some(status) = child.try_wait()? {
            break status;
        }
        std::thread::sleep(LOOK);
    };
    if !status.success() {
        bail!("mindcache {} ended with {status}", args.join(" "));
    }
    Ok(Run { seconds: begun.elapsed().as_secs_f64(), peak_mib: peak })
}

/// The same rows in SQLite alone: the seconds to write them durably, and to read them into a file.
fn bare(store: &Scratch, keys: u64) -> anyhow::Result<(f64, f64)> {
    let mut connection = Connection::open(store.file("bare.db"))?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
         CREATE TABLE note (name TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT",
    )?;
    let begun = Instant::now();
    let transaction = connection.transaction()?;
    {
        let mut insert = transaction.prepare("INSERT INTO note VALUES (?1, ?2)")?;
        for number in 0..keys {
            insert.execute((key(number), text(number)))?;
        }
    }
    transaction.commit()?;
    let written = begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    let mut out = BufWriter::new(File::create(store.file("bare.txt"))?);
    let mut select = connection.prepare("SELECT name, body FROM note ORDER BY name")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        writeln!(out, "{}\t{}", row.get_ref(0)?.as_str()?, row.get_ref(1)?.as_str()?)?;
    }
    out.into_inner()?.sync_all()?;
    Ok((written, begun.elapsed().as_secs_f64()))
}
