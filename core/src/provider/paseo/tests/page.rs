//! The provider's page names every command of the script, and every status and error of the captures.

use super::play::{capture, names};

const PAGE: &str = include_str!("../../../../../docs/providers/paseo.md");

#[test]
fn every_command_and_its_flags_stand_in_the_page() {
    let script = include_str!("../turn.sh");
    let commands: Vec<_> = script.split("\"$paseo\" ").skip(1).collect();
    assert_eq!(commands.len(), 6);
    for command in commands {
        let line = command.lines().next().expect("a line");
        let words: Vec<_> = line.split_whitespace().collect();
        let is_plain = |word: &&&str| word.chars().all(char::is_alphabetic);
        let name = words.iter().find(is_plain).expect("a command");
        let is_row = |row: &&str| {
            let mut words = row.split_whitespace();
            row.starts_with("| `paseo ") && words.any(|word| word == *name)
        };
        let row = PAGE.lines().find(is_row).expect(name);
        for flag in words.iter().filter(|word| word.starts_with("--")) {
            let flag = flag.trim_end_matches(';').trim_end_matches(')');
            assert!(row.contains(flag), "{name}: {flag}");
        }
    }
}

#[test]
fn every_status_and_code_stands_in_the_page() {
    for name in names() {
        for (_, line) in capture(&name) {
            for member in ["\"status\": \"", "\"code\": \""] {
                let value = line.split_once(member).map(|(_, rest)| rest);
                if let Some(value) = value.and_then(|rest| rest.split('"').next()) {
                    assert!(PAGE.contains(&format!("| `{value}` |")), "{name}: {value}");
                }
            }
        }
    }
}
