//! The pages in `docs/providers/` name everything that the captures hold, and every profile.

use std::collections::BTreeSet;

use serde_json::Value;

use super::play::{is_acp, lines, names};

fn page(name: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/providers");
    std::fs::read_to_string(format!("{folder}/{name}.md")).expect("the page is there")
}

#[test]
fn every_message_and_update_of_the_captures_stands_in_the_page_of_the_protocol() {
    let document = page("acp");
    let mut missing = BTreeSet::new();
    for name in names(is_acp) {
        for (direction, line) in lines(&name) {
            let value = serde_json::from_str::<Value>(&line).unwrap_or_default();
            if direction != '<' {
                continue;
            }
            let update = &value["params"]["update"];
            let content = update["content"].as_array().into_iter().flatten();
            let content = content.map(|item| &item["type"]);
            let words = [
                &value["method"],
                &update["sessionUpdate"],
                &value["result"]["stopReason"],
            ];
            for word in words.into_iter().chain(content).filter_map(Value::as_str) {
                if !document.contains(&format!("`{word}`")) {
                    missing.insert(word.to_owned());
                }
            }
        }
    }
    assert_eq!(missing, BTreeSet::new());
}

#[test]
fn every_line_of_a_printing_command_stands_in_its_agents_page() {
    for agent in ["gemini", "opencode"] {
        let document = page(agent);
        for name in names(|name| name.starts_with(&format!("oneshot-{agent}"))) {
            for (_, line) in lines(&name) {
                let value = serde_json::from_str::<Value>(&line).unwrap_or_default();
                if let Some(word) = value["type"].as_str() {
                    assert!(document.contains(&format!("`{word}`")), "{name}: {word}");
                }
            }
        }
    }
}

#[test]
fn every_variable_and_mode_of_a_profile_stands_in_a_page() {
    let pages: String = ["acp", "gemini", "opencode", "kimi"].map(page).concat();
    let named = |word: &str| assert!(pages.contains(&format!("`{word}`")), "{word}");
    for profile in [
        super::super::GEMINI.0,
        super::super::OPENCODE.0,
        super::super::KIMI.0,
        super::super::CLAUDE_ACP.0,
        super::super::CODEX_ACP.0,
        super::super::ANY.0,
    ] {
        named(profile.name);
        profile.environment.iter().for_each(|name| named(name));
        profile.secrets.iter().for_each(|name| named(name));
        profile.settings.iter().for_each(|(name, _)| named(name));
        profile
            .permissions
            .iter()
            .for_each(|(_, name, _)| named(name));
        for word in profile.modes.iter().flat_map(|(_, words)| *words) {
            named(word);
        }
    }
}
