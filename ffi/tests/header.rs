//! `include/remuda.h`, `include/remuda-options.schema.json` and `ffi/symbols.txt` are made from the code; these tests fail
//! when one is stale, and when header, symbols and library disagree.
//! `REMUDA_UPDATE_HEADER=1 cargo test -p remuda-ffi --test header` rewrites them.

#![cfg(target_os = "linux")]

mod hosts;
#[path = "../src/message_options.rs"]
mod message_options;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use hosts::{Build, built, c_tests, library, run, text};
use message_options::MessageOptions;
use remuda_tests::{is_current, root};
use runtime::{Change, ErrorKind, EventKind, Operation, PoolOptions, PoolStats, SessionOptions};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

const UPDATE: &str = "REMUDA_UPDATE_HEADER";

fn generated() -> String {
    let mut fresh = Vec::new();
    cbindgen::generate(env!("CARGO_MANIFEST_DIR"))
        .expect("cbindgen reads the crate")
        .write(&mut fresh);
    String::from_utf8(fresh).expect("the header is UTF-8")
}

fn header() -> String {
    fs::read_to_string(root().join("include/remuda.h")).expect("the header is there")
}

/// The functions of the header.
fn declared() -> BTreeSet<String> {
    let header = header();
    let code = header.lines().filter(|line| !line.starts_with("//"));
    let calls = code.filter_map(|line| line.split_once('('));
    let names = calls.filter_map(|(before, _)| before.rsplit([' ', '*']).next());
    names
        .filter(|name| name.starts_with("remuda_"))
        .map(str::to_owned)
        .collect()
}

/// The numbers of the header whose names begin so.
fn numbers(prefix: &str) -> BTreeMap<String, u64> {
    let header = header();
    let defines = header.lines().filter_map(|l| l.strip_prefix("#define "));
    let named = defines.filter_map(|line| line.strip_prefix(prefix)?.split_once(' '));
    named
        .map(|(name, number)| (name.to_lowercase(), number.parse().expect("a number")))
        .collect()
}

#[test]
fn the_header_is_current() {
    is_current("include/remuda.h", &generated(), UPDATE);
}

#[test]
fn what_the_library_exports_is_what_the_header_declares_and_what_was_noted() {
    let library = library().join("libremuda.so");
    let listing = run(Command::new("nm")
        .args(["-D", "--defined-only"])
        .arg(library));
    let exported: BTreeSet<String> = text(&listing.stdout)
        .lines()
        .filter_map(|line| line.split_whitespace().last().map(str::to_owned))
        .collect();
    assert_eq!(exported, declared());
    let mut noted = String::new();
    for name in &exported {
        writeln!(noted, "{name}").expect("a string takes all");
    }
    is_current("ffi/symbols.txt", &noted, UPDATE);
}

#[test]
fn the_library_has_its_name_and_stays_in_memory() {
    let library = library().join("libremuda.so");
    let dynamic = run(Command::new("readelf").arg("-d").arg(library));
    let dynamic = text(&dynamic.stdout);
    assert!(dynamic.contains("[libremuda.so.0]"), "{dynamic}");
    assert!(dynamic.contains("NODELETE"), "{dynamic}");
    assert_eq!(numbers("REMUDA_ABI_")["version"], 0, "as in the SONAME");
}

#[test]
fn every_function_is_called_by_a_c_test() {
    let sources: Vec<String> = c_tests()
        .iter()
        .map(|file| fs::read_to_string(file).expect("a source"))
        .collect();
    for name in declared() {
        let called = sources.iter().any(|s| s.contains(&format!("{name}(")));
        assert!(called, "no C test calls {name}");
    }
}

#[test]
fn codes_are_those_of_core_and_a_few_of_the_boundary_that_never_meet_them() {
    let mut codes = numbers("REMUDA_STATUS_");
    for kind in ErrorKind::ALL {
        let code = codes.remove(kind.name());
        assert_eq!(code, Some(kind.code().into()), "{kind}");
    }
    let own: Vec<(&str, u64)> = codes.iter().map(|(n, c)| (n.as_str(), *c)).collect();
    assert_eq!(
        own,
        [
            ("forked", 250),
            ("ok", 0),
            ("panic", 950),
            ("too_many", 152),
            ("would_deadlock", 150),
            ("wrong_mode", 151),
        ]
    );
    for kind in ErrorKind::ALL {
        assert!(kind.code() % 100 < 50, "{kind} is in the boundary's half");
    }
}

#[test]
fn event_kinds_are_those_of_core_and_one_of_the_boundary() {
    let mut kinds = numbers("REMUDA_EVENT_");
    for kind in EventKind::ALL {
        let number = kinds.remove(kind.name());
        assert_eq!(number, Some(kind.number().into()), "{kind}");
    }
    assert_eq!(kinds, BTreeMap::from([("call_done".to_owned(), 1000)]));
}

#[test]
fn the_numbers_of_a_pool_are_those_of_core() {
    let json = serde_json::to_value(PoolStats::default()).expect("numbers are JSON");
    let wanted: Vec<&String> = json.as_object().expect("an object").keys().collect();
    let header = header();
    let start = header
        .find("typedef struct remuda_pool_stats {")
        .expect("the struct");
    let body = header[start..].split('}').next().expect("its end");
    let mut fields: Vec<&str> = body
        .lines()
        .filter_map(|line| line.trim().strip_prefix("uint64_t ")?.strip_suffix(';'))
        .collect();
    fields.sort_unstable();
    let mut wanted: Vec<&str> = wanted.iter().map(|name| name.as_str()).collect();
    wanted.sort_unstable();
    assert_eq!(fields, wanted);
}

fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

#[test]
fn the_schema_of_the_options_is_current() {
    let mut generator = SchemaGenerator::default();
    let parts = [
        ("pool_options", schema_of::<PoolOptions>(&mut generator)),
        (
            "session_options",
            schema_of::<SessionOptions>(&mut generator),
        ),
        (
            "message_options",
            schema_of::<MessageOptions>(&mut generator),
        ),
        (
            "answer",
            schema_of::<runtime::request::Answer>(&mut generator),
        ),
        ("change", schema_of::<Change>(&mut generator)),
        ("operation", schema_of::<Operation>(&mut generator)),
        ("event", schema_of::<runtime::Event>(&mut generator)),
    ];
    let properties: serde_json::Map<_, _> = parts
        .into_iter()
        .map(|(name, schema)| (name.to_owned(), schema.to_value()))
        .collect();
    let mut whole = json_schema!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Remuda: the JSON that goes through the C ABI",
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    whole.insert("$defs".to_owned(), generator.take_definitions(true).into());
    let fresh = serde_json::to_string_pretty(&whole).expect("a schema is JSON") + "\n";
    is_current("include/remuda-options.schema.json", &fresh, UPDATE);
}

#[test]
fn the_header_alone_and_twice_is_c99_c11_and_cpp11_for_both_compilers() {
    let twice =
        "#include <remuda.h>\n#include <remuda.h>\nint main(void) { return REMUDA_STATUS_OK; }\n";
    for (c, cpp) in [("gcc", "g++"), ("clang", "clang++")] {
        for standard in ["c99", "c11"] {
            Build::with(c, standard).accepts("header.c", twice);
        }
        for standard in ["c++11", "c++17"] {
            Build::with(cpp, standard).accepts("header.cpp", twice);
        }
    }
    assert!(built().is_dir());
}
