//! What the npm package says twice: types, names and codes. They are made from the library's own types, and these tests fail
//! when a file is stale. `REMUDA_UPDATE_NODE=1 cargo test -p remuda-tests --test node_types` rewrites them.

mod typescript;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use remuda::config::{PoolOptions, SessionOptions};
use remuda::request::Answer;
use remuda::{
    Change, Doctor, ErrorKind, Event, EventKind, Feature, InterruptOptions, LendOptions, Message,
    Operation, PoolStats, Receipt, SendOptions, SessionSnapshot, Shutdown, Support,
};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value};
use typescript::{Side, definitions};

const UPDATE: &str = "REMUDA_UPDATE_NODE";

/// The schemas by name, as what is written or what is read looks like.
struct Schemas {
    generator: SchemaGenerator,
}

impl Schemas {
    fn of(side: Side) -> Self {
        let settings = SchemaSettings::draft2020_12();
        let settings = match side {
            Side::Given => settings.for_deserialize(),
            Side::Got => settings.for_serialize(),
        };
        Self {
            generator: settings.into_generator(),
        }
    }

    fn with<T: JsonSchema>(mut self) -> Self {
        self.generator.subschema_for::<T>();
        self
    }

    fn all(mut self) -> Map<String, Value> {
        self.generator.take_definitions(true)
    }
}

/// What hosts give.
fn given() -> Map<String, Value> {
    Schemas::of(Side::Given)
        .with::<PoolOptions>()
        .with::<SessionOptions>()
        .with::<Message>()
        .with::<SendOptions>()
        .with::<InterruptOptions>()
        .with::<Change>()
        .with::<Answer>()
        .with::<Operation>()
        .with::<LendOptions>()
        .all()
}

/// What hosts get.
fn got() -> Map<String, Value> {
    Schemas::of(Side::Got)
        .with::<Event>()
        .with::<SessionSnapshot>()
        .with::<PoolStats>()
        .with::<Shutdown>()
        .with::<Receipt>()
        .with::<Support>()
        .with::<Feature>()
        .with::<Doctor>()
        .all()
}

#[test]
fn the_types_are_those_of_the_library() {
    let mut types = definitions(&given(), Side::Given);
    for (name, text) in definitions(&got(), Side::Got) {
        // What both sides have is the same, or the first is wrong for the second.
        if let Some(same) = types.insert(name.clone(), text.clone()) {
            assert_eq!(same, text, "{name} is given and got in two forms");
        }
    }
    let mut file = String::from(
        "// Generated from the library's types; see tests/tests/node_types in the sources. Do not edit.\n\n\
         import type { Tool, ToolOptions } from './tool-types.js';\n\n\
         /** JSON that is passed on as it came. */\nexport type Json = unknown;\n",
    );
    for text in types.values() {
        file.push('\n');
        file.push_str(text);
    }
    let codes = ErrorKind::ALL.iter().map(|kind| kind.name().to_uppercase());
    file.push_str("\n/** The `code` of errors. */\nexport type ErrorCode =\n");
    for code in codes.chain(["INTERRUPTED".to_owned()]) {
        let _ = writeln!(file, "  | 'ERR_REMUDA_{code}'");
    }
    file.insert(file.len() - 1, ';');
    remuda_tests::is_current("bindings/node/lib/types.d.ts", &file, UPDATE);
}

#[test]
fn the_names_are_those_of_the_library() {
    let mut file = String::from(
        "'use strict';\n// Generated from the library's types; see tests/tests/node_types in the sources. Do not edit.\n\n\
         /** The kinds of events by their numbers. */\nexports.kinds = {\n",
    );
    for kind in EventKind::ALL {
        let _ = writeln!(file, "  {}: '{}',", kind.number(), kind.name());
    }
    file.push_str("};\n\n/** The kinds of errors. */\nexports.codes = [\n");
    for kind in ErrorKind::ALL {
        let _ = writeln!(file, "  '{}',", kind.name());
    }
    file.push_str(
        "];\n\n/** Members whose content is an agent's or a host's own. */\nexports.opaque = [\n",
    );
    for name in opaque() {
        let _ = writeln!(file, "  '{name}',");
    }
    file.push_str("];\n");
    remuda_tests::is_current("bindings/node/lib/generated.js", &file, UPDATE);
}

/// Members whose names within are not ours: raw JSON, and maps.
fn opaque() -> BTreeSet<String> {
    let mut seen: BTreeMap<String, bool> = BTreeMap::new();
    for schemas in [given(), got()] {
        for schema in schemas.values() {
            look(schema, &mut seen);
        }
    }
    let all = seen.into_iter();
    all.filter_map(|(name, opaque)| opaque.then_some(name))
        .collect()
}

fn look(schema: &Value, seen: &mut BTreeMap<String, bool>) {
    match schema {
        Value::Object(object) => {
            let properties = object.get("properties").and_then(Value::as_object);
            for (name, property) in properties.into_iter().flatten() {
                // A plain text or number has no names within, so it may stand beside one that is opaque.
                let is = is_opaque(property);
                let named = property.to_string().contains("#/$defs/") && !is;
                let before = seen.entry(name.clone()).or_insert(is);
                assert!(
                    !(named && *before),
                    "{name} is opaque in one place and ours in another"
                );
                *before |= is;
            }
            object.values().for_each(|value| look(value, seen));
        }
        Value::Array(items) => items.iter().for_each(|value| look(value, seen)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn is_opaque(property: &Value) -> bool {
    property.to_string().contains("#/$defs/RawJson")
        || property
            .get("additionalProperties")
            .is_some_and(Value::is_object)
}
