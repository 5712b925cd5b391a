//! How it looks: one line per thing that happened, readable without colour and without a terminal.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// How a line is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// As it should be.
    Plain,
    /// What a reader may miss.
    Quiet,
    /// What the demo is about.
    Strong,
    /// Something went wrong, perhaps on purpose.
    Bad,
}

/// Where the lines go.
#[derive(Debug)]
pub(crate) struct Screen {
    start: Instant,
    colour: bool,
    /// A reader's pause between two scenes; none where nobody watches.
    pause: Duration,
    scenes: u32,
}

const COLOURS: [&str; 4] = ["36", "35", "33", "34"];
/// Lines longer than this wrap on common terminals.
const WIDTH: usize = 66;

impl Screen {
    /// Colour and pauses for a person, plain lines for a file.
    pub(crate) fn of_stdout() -> Self {
        let terminal = std::io::stdout().is_terminal();
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var_os("TERM").is_some_and(|kind| kind == "dumb");
        Self {
            colour: terminal && !refused,
            pause: Duration::from_millis(if terminal { 700 } else { 0 }),
            ..Self::plain()
        }
    }

    /// Lines without anything.
    pub(crate) fn plain() -> Self {
        Self {
            start: Instant::now(),
            colour: false,
            pause: Duration::ZERO,
            scenes: 0,
        }
    }

    /// A line of its own.
    pub(crate) fn say(&self, text: &str, tone: Tone) {
        print(&format!("{}\n", self.paint(text, style(tone))));
    }

    /// Begins a scene.
    pub(crate) async fn scene(&mut self, title: &str) {
        self.scenes += 1;
        if self.scenes > 1 {
            tokio::time::sleep(self.pause).await;
        }
        let title = format!("{}  {title}", self.scenes);
        print(&format!("\n{}\n", self.paint(&title, "1")));
    }

    /// Something happened to a player; `place` is its place in the cast.
    pub(crate) fn event(&self, place: usize, name: &str, what: &str, detail: &str, tone: Tone) {
        let time = format!("{:>7.2} s", self.start.elapsed().as_secs_f64());
        let colour = COLOURS.get(place).copied().unwrap_or_default();
        print(&format!(
            "{}  {}  {} {}\n",
            self.paint(&time, style(Tone::Quiet)),
            self.paint(name, colour),
            self.paint(&format!("{what:<12}"), style(tone)),
            shortened(detail, WIDTH),
        ));
    }

    /// A row of the table at the end.
    pub(crate) fn row(&self, name: &str, value: &str) {
        print(&format!(
            "  {} {value}\n",
            self.paint(&format!("{name:<24}"), style(Tone::Quiet))
        ));
    }

    fn paint(&self, text: &str, style: &str) -> String {
        if self.colour && !style.is_empty() {
            format!("\x1b[{style}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

fn style(tone: Tone) -> &'static str {
    match tone {
        Tone::Plain => "",
        Tone::Quiet => "2",
        Tone::Strong => "1;32",
        Tone::Bad => "1;31",
    }
}

/// On one line, at most so long, without anything that a terminal would obey.
fn shortened(text: &str, most: usize) -> String {
    let line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if line.chars().count() <= most {
        return line;
    }
    let start: String = line.chars().take(most.saturating_sub(1)).collect();
    format!("{start}…")
}

/// Who closed the other end of the pipe wants no more of it.
fn print(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_agent_says_cannot_steer_the_terminal() {
        assert_eq!(shortened("a\n\x1b[2Jb", 9), "a  [2Jb");
        assert_eq!(shortened("abcdef", 4), "abc…");
    }
}
