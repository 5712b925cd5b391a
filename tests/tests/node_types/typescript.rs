//! JSON Schema as TypeScript, as far as the library's types need it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value};

/// Who makes the values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The host.
    Given,
    /// The library.
    Got,
}

/// Types that are written in another way than the schema has them.
const OTHERWISE: [(&str, &str); 7] = [
    ("RawJson", "Json"),
    ("SessionId", "number"),
    ("TurnId", "number"),
    ("ProcessId", "number"),
    ("RequestId", "number"),
    ("SessionOptions.tools", "readonly (Tool | ToolOptions)[]"),
    ("Attachment.bytes", "string | Uint8Array"),
];

fn otherwise(name: &str) -> Option<&'static str> {
    let found = OTHERWISE.iter().find(|(key, _)| *key == name);
    found.map(|(_, text)| *text)
}

/// The definitions as text, by name.
pub(crate) fn definitions(schemas: &Map<String, Value>, side: Side) -> BTreeMap<String, String> {
    let named = schemas.iter().filter(|(name, _)| otherwise(name).is_none());
    let mut out: BTreeMap<String, String> = BTreeMap::new();
    for (name, schema) in named {
        if name == "Event" {
            out.extend(events(schema, side));
        } else {
            let mut text = comment(schema, "");
            let written = Writer { name, side }.type_of(schema, "");
            // A union begins on a line of its own.
            let space = if written.starts_with('\n') { "" } else { " " };
            let _ = writeln!(text, "export type {name} ={space}{written};");
            out.insert(name.clone(), text);
        }
    }
    out
}

/// An interface for each kind, and their union.
fn events(schema: &Value, side: Side) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    let mut union = comment(schema, "");
    union.push_str("export type Event =\n");
    for body in schema["oneOf"].as_array().expect("bodies") {
        let kind = body["properties"]["type"]["const"].as_str();
        let kind = kind.expect("a kind");
        let name = format!("{}Event", pascal(kind));
        let mut text = comment(body, "");
        let members = Writer { name: &name, side }.members(body, "");
        let _ = writeln!(
            text,
            "export interface {name} extends EventBase {{\n{members}}}"
        );
        let _ = writeln!(union, "  | {name}");
        out.insert(name, text);
    }
    union.insert(union.len() - 1, ';');
    out.insert("Event".to_owned(), union);
    let base = "/** What every event has. */\nexport interface EventBase {\n  \
        /** The session it happened in. */\n  session: number;\n  \
        /** 1, 2, 3 … within the session, without a gap. 0 of a `gap`. */\n  seq: number;\n  \
        /** The turn it belongs to. */\n  turn: number | null;\n  \
        /** When it was recorded: milliseconds since the Unix epoch, with fractions. */\n  timeUnixMs: number;\n}\n";
    out.insert("EventBase".to_owned(), base.to_owned());
    out
}

/// Writes the type of one name.
struct Writer<'a> {
    name: &'a str,
    side: Side,
}

impl Writer<'_> {
    fn type_of(&self, schema: &Value, indent: &str) -> String {
        let Some(object) = schema.as_object() else {
            return "Json".to_owned();
        };
        if let Some(reference) = object.get("$ref").and_then(Value::as_str) {
            let name = reference.rsplit('/').next().unwrap_or_default();
            return otherwise(name).unwrap_or(name).to_owned();
        }
        if let Some(word) = object.get("const") {
            return quoted(word);
        }
        if let Some(words) = object.get("enum").and_then(Value::as_array) {
            return words.iter().map(quoted).collect::<Vec<_>>().join(" | ");
        }
        let union = object.get("oneOf").or_else(|| object.get("anyOf"));
        if let Some(parts) = union.and_then(Value::as_array) {
            let union = self.union(parts, indent);
            if object.contains_key("properties") {
                return format!("{} & ({union})", self.object(schema, indent));
            }
            return union;
        }
        match object.get("type") {
            Some(Value::Array(types)) => {
                let types = types.iter().map(|of| self.plain(of, schema, indent));
                types.collect::<Vec<_>>().join(" | ")
            }
            Some(of) => self.plain(of, schema, indent),
            None => "Json".to_owned(),
        }
    }

    fn union(&self, parts: &[Value], indent: &str) -> String {
        if !parts.iter().any(|part| part.get("description").is_some()) {
            let parts = parts.iter().map(|part| self.type_of(part, indent));
            return parts.collect::<Vec<_>>().join(" | ");
        }
        let deeper = format!("{indent}  ");
        let mut text = String::new();
        for part in parts {
            let of = self.type_of(part, &deeper);
            let _ = write!(text, "\n{}{deeper}| {of}", comment(part, &deeper));
        }
        text
    }

    fn plain(&self, of: &Value, schema: &Value, indent: &str) -> String {
        match of.as_str().expect("a type") {
            "integer" | "number" => "number".to_owned(),
            "array" => {
                let item = self.type_of(&schema["items"], indent);
                let item = if item.contains(' ') {
                    format!("({item})")
                } else {
                    item
                };
                match self.side {
                    Side::Given => format!("readonly {item}[]"),
                    Side::Got => format!("{item}[]"),
                }
            }
            "object" => self.object(schema, indent),
            plain => plain.to_owned(),
        }
    }

    fn object(&self, schema: &Value, indent: &str) -> String {
        if schema.get("properties").is_some() {
            return format!("{{\n{}{indent}}}", self.members(schema, indent));
        }
        match schema.get("additionalProperties") {
            Some(values) if values.is_object() => {
                format!("{{ [name: string]: {} }}", self.type_of(values, indent))
            }
            Some(_) | None => "{}".to_owned(),
        }
    }

    fn members(&self, schema: &Value, indent: &str) -> String {
        let deeper = format!("{indent}  ");
        let required = schema["required"].as_array();
        let is_required = |name: &str| {
            required.is_some_and(|all| all.iter().any(|one| one.as_str() == Some(name)))
        };
        let mut text = String::new();
        for (name, property) in schema["properties"].as_object().expect("members") {
            let own = format!("{}.{name}", self.name);
            let of = otherwise(&own).map_or_else(|| self.type_of(property, &deeper), str::to_owned);
            let mark = if is_required(name) { "" } else { "?" };
            let note = comment(property, &deeper);
            let _ = writeln!(text, "{note}{deeper}{}{mark}: {of};", camel(name));
        }
        text
    }
}

fn quoted(word: &Value) -> String {
    word.as_str()
        .map_or_else(|| word.to_string(), |word| format!("'{word}'"))
}

fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let mut out = words.next().unwrap_or_default().to_owned();
    words.for_each(|word| out.push_str(&capital(word)));
    out
}

fn pascal(name: &str) -> String {
    name.split('_').map(capital).collect()
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

/// The description as a comment, with links as plain words.
fn comment(schema: &Value, indent: &str) -> String {
    let Some(text) = schema.get("description").and_then(Value::as_str) else {
        return String::new();
    };
    let text = unlinked(text).replace("*/", "*\\/");
    if !text.contains('\n') {
        return format!("{indent}/** {text} */\n");
    }
    let mut out = format!("{indent}/**\n");
    for line in text.lines() {
        let line = format!("{indent} * {line}");
        let _ = writeln!(out, "{}", line.trim_end());
    }
    let _ = writeln!(out, "{indent} */");
    out
}

/// Without the links of Rust: their words are enough here.
fn unlinked(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find('[') {
        let (before, link) = rest.split_at(start);
        out.push_str(before);
        let words = link[1..].split_once(']');
        match words {
            Some((words, after)) if words.starts_with('`') || after.starts_with('(') => {
                out.push_str(words);
                let target = after.strip_prefix('(').and_then(|to| to.split_once(')'));
                rest = target.map_or(after, |(_, after)| after);
            }
            Some(_) | None => {
                out.push('[');
                rest = &link[1..];
            }
        }
    }
    out.push_str(rest);
    out
}
