//! What a bench found, written once and shown twice: an aligned table for a person,
//! a JSON object for a script.

use std::io::{self, Write};

use serde_json::{Map, Value, json};

/// A column: its key in JSON, its heading in the table, the digits behind the point.
pub(super) struct Column {
    pub(super) key: &'static str,
    pub(super) heading: &'static str,
    pub(super) decimals: usize,
}

/// A comparison, printed beside the bar it is held to; nothing here asserts it.
pub(super) struct Ratio {
    pub(super) key: &'static str,
    pub(super) label: String,
    pub(super) value: Option<f64>,
    /// The bar in words, or empty.
    pub(super) aim: &'static str,
}

/// One bench's figures. A row is a name and one figure per column, `None` where it is unknown.
pub(super) struct Report {
    pub(super) name: &'static str,
    pub(super) about: String,
    pub(super) columns: &'static [Column],
    pub(super) rows: Vec<(String, Vec<Option<f64>>)>,
    pub(super) ratios: Vec<Ratio>,
}

impl Report {
    /// The report as JSON: `{about, rows: [{what, …}], ratios: {…}}`, unknown figures `null`.
    pub(super) fn to_json(&self) -> Value {
        let row = |(what, figures): &(String, Vec<Option<f64>>)| {
            let mut object = Map::new();
            object.insert("what".to_owned(), json!(what));
            for (column, figure) in self.columns.iter().zip(figures) {
                object.insert(column.key.to_owned(), json!(figure.map(rounded)));
            }
            Value::Object(object)
        };
        let ratios: Map<String, Value> =
            self.ratios.iter().map(|ratio| (ratio.key.to_owned(), json!(ratio.value.map(rounded)))).collect();
        json!({
            "about": self.about,
            "rows": self.rows.iter().map(row).collect::<Vec<_>>(),
            "ratios": ratios,
        })
    }

    /// The figure of a column in the first row whose name is meant.
    pub(super) fn figure(&self, is_meant: impl Fn(&str) -> bool, column: &str) -> Option<f64> {
        let at = self.columns.iter().position(|each| each.key == column)?;
        let (_, figures) = self.rows.iter().find(|(name, _)| is_meant(name))?;
        figures.get(at).copied().flatten()
    }

    /// The report as a table: names to the left, figures to the right, ratios below.
    pub(super) fn write_table(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}: {}", self.name, self.about)?;
        let mut heading = vec![String::new()];
        heading.extend(self.columns.iter().map(|column| column.heading.to_owned()));
        let mut lines = vec![heading];
        for (what, figures) in &self.rows {
            let mut line = vec![what.clone()];
            let shown = self.columns.iter().zip(figures);
            line.extend(shown.map(|(column, figure)| show(*figure, column.decimals)));
            lines.push(line);
        }
        write_aligned(out, &lines)?;
        let below: Vec<Vec<String>> = self
            .ratios
            .iter()
            .map(|ratio| {
                let aim = if ratio.aim.is_empty() { String::new() } else { format!("  aim {}", ratio.aim) };
                vec![ratio.label.clone(), format!("{}{aim}", show(ratio.value, 2))]
            })
            .collect();
        if !below.is_empty() {
            writeln!(out)?;
        }
        let wide = below.iter().filter_map(|line| line.first()).map(|s| s.chars().count()).max();
        for line in &below {
            if let [label, value] = line.as_slice() {
                writeln!(out, "  {label:<wide$}  {value}", wide = wide.unwrap_or(0))?;
            }
        }
        writeln!(out)
    }
}

/// Enough digits for a script, few enough to read.
pub(super) fn rounded(figure: f64) -> f64 {
    (figure * 10_000.0).round() / 10_000.0
}

/// A figure with its digits, the unknown as a dash.
pub(super) fn show(figure: Option<f64>, decimals: usize) -> String {
    figure.map_or_else(|| "-".to_owned(), |figure| format!("{figure:.decimals$}"))
}

/// The first cell of a line to the left, the others to the right of their column.
pub(super) fn write_aligned(out: &mut dyn Write, lines: &[Vec<String>]) -> io::Result<()> {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|at| {
            let cells = lines.iter().filter_map(|line| line.get(at));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        })
        .collect();
    for line in lines {
        let mut text = String::new();
        for (at, (cell, width)) in line.iter().zip(&widths).enumerate() {
            let padded = if at == 0 { format!("  {cell:<width$}") } else { format!("  {cell:>width$}") };
            text.push_str(&padded);
        }
        writeln!(out, "{}", text.trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &[Column] = &[
        Column { key: "wall_ms", heading: "wall ms", decimals: 1 },
        Column { key: "cpu_ms", heading: "CPU ms", decimals: 2 },
    ];

    fn report() -> Report {
        Report {
            name: "cold",
            about: "process start".to_owned(),
            columns: COLUMNS,
            rows: vec![
                ("1,000 keys".to_owned(), vec![Some(4.25), Some(3.0)]),
                ("bare".to_owned(), vec![Some(1.123_456), None]),
            ],
            ratios: vec![Ratio { key: "growth", label: "growth".to_owned(), value: Some(1.1), aim: "at most 1.3" }],
        }
    }

    #[test]
    fn a_table_is_aligned_and_shows_the_unknown_as_a_dash() {
        let mut out = Vec::new();
        report().write_table(&mut out).unwrap();
        let expected = "cold: process start\n\
                        \x20             wall ms  CPU ms\n\
                        \x20 1,000 keys      4.2    3.00\n\
                        \x20 bare            1.1       -\n\
                        \n\
                        \x20 growth  1.10  aim at most 1.3\n\
                        \n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn json_names_each_figure_and_keeps_the_unknown_as_null() {
        let rows = json!([
            {"what": "1,000 keys", "wall_ms": 4.25, "cpu_ms": 3.0},
            {"what": "bare", "wall_ms": 1.1235, "cpu_ms": null},
        ]);
        let expected = json!({"about": "process start", "rows": rows, "ratios": {"growth": 1.1}});
        assert_eq!(report().to_json(), expected);
    }
}
