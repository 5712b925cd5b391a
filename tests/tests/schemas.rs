//! `docs/schema/*.json` are generated; this test fails when one is stale.
//! `REMUDA_UPDATE_SCHEMA=1 cargo test -p remuda-tests --test schemas` rewrites them.

use remuda::{Doctor, Event, PoolOptions, SessionOptions};
use schemars::{Schema, schema_for};

fn check(name: &str, schema: &Schema) {
    let fresh = serde_json::to_string_pretty(schema).expect("a schema is JSON") + "\n";
    remuda_tests::is_current(
        &format!("docs/schema/{name}"),
        &fresh,
        "REMUDA_UPDATE_SCHEMA",
    );
}

#[test]
fn the_schemas_are_those_of_the_types() {
    check("pool-options.json", &schema_for!(PoolOptions));
    check("session-options.json", &schema_for!(SessionOptions));
    check("event.json", &schema_for!(Event));
    check("doctor.json", &schema_for!(Doctor));
}

#[test]
fn a_schema_knows_every_member_that_json_has() {
    let options = serde_json::to_value(PoolOptions::default()).expect("options are JSON");
    let schema = schema_for!(PoolOptions);
    let known = schema.get("properties").and_then(|p| p.as_object());
    let known: Vec<&String> = known.expect("an object").keys().collect();
    let mut members: Vec<&String> = options.as_object().expect("an object").keys().collect();
    members.sort();
    assert_eq!(members, sorted(known));
}

fn sorted(mut names: Vec<&String>) -> Vec<&String> {
    names.sort();
    names
}
