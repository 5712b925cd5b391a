//! `docs/providers/codex.md` names everything that the captures hold.

use std::collections::BTreeSet;

use serde_json::Value;

use super::play::{lines, names};

#[test]
fn every_message_and_item_of_the_captures_stands_in_the_document() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/providers/codex.md");
    let document = std::fs::read_to_string(path).expect("the document is there");
    let mut missing = BTreeSet::new();
    for name in names(|_| true) {
        for (direction, line) in lines(&name) {
            let Ok(value) = serde_json::from_str::<Value>(&line) else {
                continue;
            };
            if direction != '<' {
                continue;
            }
            let item = [&value["params"]["item"]["type"], &value["item"]["type"]];
            let words = [&value["method"], &value["type"], item[0], item[1]];
            for word in words.into_iter().filter_map(Value::as_str) {
                if !document.contains(&format!("`{word}`")) {
                    missing.insert(word.to_owned());
                }
            }
        }
    }
    assert_eq!(missing, BTreeSet::new());
}
