//! Pictures of results: bars that lie one under the other, with the spread of all rounds as a line.

#![expect(clippy::cast_precision_loss, reason = "a picture has few bars")]

use std::fmt::Write as _;
use std::path::Path;

use crate::result::{Comparison, Spread};

const WIDTH: f64 = 860.0;
const LEFT: f64 = 230.0;
const RIGHT: f64 = 110.0;
const TOP: f64 = 52.0;
const STEP: f64 = 26.0;
const BAR: f64 = 16.0;

/// A bar.
struct Bar<'a> {
    label: &'a str,
    value: Spread,
}

/// Draws a chart of each comparison into the folder of the documentation.
pub(crate) fn draw(found: &[Comparison], docs: &Path) -> Result<(), String> {
    let folder = docs.join("performance");
    std::fs::create_dir_all(&folder).map_err(|why| why.to_string())?;
    for comparison in found {
        let file = folder.join(format!("{}.svg", comparison.name));
        std::fs::write(&file, chart(comparison))
            .map_err(|why| format!("{}: {why}", file.display()))?;
    }
    Ok(())
}

/// Which number is shown, how it is scaled, and what it is.
fn subject(comparison: &Comparison) -> (&'static str, f64, &'static str) {
    match comparison.name.as_str() {
        "a" => (
            "cpu_us",
            comparison.units,
            "CPU time of the host per delta, µs",
        ),
        "b" => (
            "p50_us",
            1.0,
            "p50 from the agent's clock to the host's code, µs",
        ),
        "c-warm" => ("wall_us", 1e6, "wall time, s"),
        "c-each" => ("wall_us", comparison.units * 1e3, "wall time per turn, ms"),
        "d-100" | "d-500" => (
            "p99_us",
            1e3,
            "p99 from the agent's clock to the host's code, ms",
        ),
        "e-1" | "e-10" | "e-64" => ("wall_us", 1e3, "wall time, ms"),
        _ => ("first_us", 1e3, "time to the first delta, ms"),
    }
}

fn chart(comparison: &Comparison) -> String {
    let (number, by, what) = subject(comparison);
    let ran = comparison
        .entries
        .iter()
        .filter(|entry| entry.missing.is_none());
    let mut bars: Vec<_> = ran
        .map(|entry| Bar {
            label: &entry.host,
            value: entry.number(number).over(by),
        })
        .collect();
    bars.sort_by(|a, b| a.value.median.total_cmp(&b.value.median));
    svg(&comparison.title, what, &bars)
}

/// White behind, so that it can be read on a dark page too.
fn svg(title: &str, what: &str, bars: &[Bar<'_>]) -> String {
    let height = STEP.mul_add(bars.len() as f64, TOP + 14.0);
    let most = bars
        .iter()
        .map(|bar| bar.value.median)
        .fold(f64::MIN_POSITIVE, f64::max);
    let scale = (WIDTH - LEFT - RIGHT) / most;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" \
         font-size=\"13\" role=\"img\" aria-label=\"{0}\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"12\" y=\"22\" font-size=\"15\" font-weight=\"bold\">{0}</text>\n\
         <text x=\"12\" y=\"40\" fill=\"#555\">{1}</text>\n",
        escaped(title),
        escaped(what),
    );
    for (index, bar) in bars.iter().enumerate() {
        let y = STEP.mul_add(index as f64, TOP);
        let length = bar.value.median * scale;
        let middle = y + BAR / 2.0;
        let (least, most) = (
            bar.value.min * scale,
            (bar.value.max * scale).min(WIDTH - LEFT - 8.0),
        );
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\
             <rect x=\"{LEFT}\" y=\"{y:.1}\" width=\"{length:.1}\" height=\"{BAR}\" fill=\"{}\"/>\
             <line x1=\"{:.1}\" y1=\"{middle:.1}\" x2=\"{:.1}\" y2=\"{middle:.1}\" stroke=\"#000\" stroke-opacity=\"0.5\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            LEFT - 8.0,
            y + 13.0,
            escaped(bar.label),
            colour(bar.label),
            LEFT + least,
            LEFT + most,
            LEFT + length.max(most) + 6.0,
            y + 13.0,
            figure(bar.value.median),
        );
    }
    text + "</svg>\n"
}

fn colour(label: &str) -> &'static str {
    if label.starts_with("Remuda") {
        "#2f6db3"
    } else if label == "limit" || label.contains("serde_json") || label.contains("sonic") {
        "#9aa5b1"
    } else {
        "#d98c3f"
    }
}

/// Three digits that count.
fn figure(value: f64) -> String {
    match value {
        v if v >= 100.0 => format!("{v:.0}"),
        v if v >= 10.0 => format!("{v:.1}"),
        v if v >= 1.0 => format!("{v:.2}"),
        v => format!("{v:.3}"),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_bar_ends_before_its_number_and_labels_are_escaped() {
        let value = Spread {
            median: 2.0,
            min: 1.0,
            max: 40.0,
        };
        let picture = svg(
            "a < b",
            "µs",
            &[Bar {
                label: "x & y",
                value,
            }],
        );
        assert!(picture.contains("a &lt; b") && picture.contains("x &amp; y"));
        assert!(picture.contains(&format!("width=\"{:.1}\"", WIDTH - LEFT - RIGHT)));
        assert!(picture.ends_with("</svg>\n"));
    }
}
