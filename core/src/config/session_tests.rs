use super::*;

fn refused(change: impl FnOnce(&mut SessionOptions)) -> String {
    let mut options = SessionOptions::new("any", "/");
    change(&mut options);
    let error = options.check().expect_err("it is refused");
    error.message().to_owned()
}

#[test]
fn what_is_empty_or_has_a_nul_is_refused_by_the_name_of_its_option() {
    let program = |name: &str| refused(|options| options.program = Some(name.into()));
    assert_eq!(program(""), "program: it is empty");
    assert_eq!(program("a\0b"), "program: it has a NUL character");

    let label = |name: &str, value: &str| {
        refused(|options| drop(options.labels.insert(name.into(), value.into())))
    };
    assert_eq!(label("", "x"), "labels: it is empty");
    assert_eq!(label("\0", "x"), "labels: it has a NUL character");
    assert_eq!(label("x", "\0"), "labels: it has a NUL character");

    let server = |name: &str, server: McpServer| {
        refused(|options| drop(options.mcp_servers.insert(name.into(), server)))
    };
    let stdio = |command: &str, arg: &str| McpServer::Stdio {
        command: command.to_owned(),
        args: vec![arg.to_owned()],
        env: BTreeMap::new(),
    };
    let http = |url: &str, header: &str| McpServer::Http {
        url: url.to_owned(),
        headers: BTreeMap::from([("X".to_owned(), header.to_owned())]),
    };
    assert_eq!(server("", stdio("x", "")), "mcp_servers: it is empty");
    assert_eq!(
        server("\0", stdio("x", "")),
        "mcp_servers: it has a NUL character"
    );
    assert_eq!(
        server("s", stdio("", "")),
        "mcp_servers.s.command: it is empty"
    );
    assert_eq!(
        server("s", stdio("x", "\0")),
        "mcp_servers.s.args: it has a NUL character"
    );
    assert_eq!(server("s", http("", "")), "mcp_servers.s.url: it is empty");
    assert_eq!(
        server("s", http("\0", "")),
        "mcp_servers.s.url: it has a NUL character"
    );
    assert_eq!(
        server("s", http("x", "\0")),
        "mcp_servers.s.headers: it has a NUL character"
    );
}

fn schema(text: &str) -> Result<Map<String, Value>, String> {
    let tool = HostTool {
        name: "look".into(),
        description: String::new(),
        input_schema: RawJson::from_text(text),
    };
    let checked = tool.check().map_err(|error| error.message().to_owned());
    checked.and_then(|()| tool.schema())
}

#[test]
fn a_tools_schema_is_an_objects_and_agents_are_told_so() {
    let object = |more: Value| {
        let mut members = json!({"type": "object"});
        for (name, value) in more.as_object().into_iter().flatten() {
            members[name] = value.clone();
        }
        members.as_object().cloned().ok_or_else(String::new)
    };
    assert_eq!(schema("{}"), object(json!({})));
    assert_eq!(
        schema(r#"{"properties":{"a":true,"b":false,"c":{"type":"string"}}}"#),
        object(json!({"properties": {"a": {}, "b": {"not": {}}, "c": {"type": "string"}}}))
    );
    for bad in [
        r#"{"type":"string"}"#,
        r#"{"type":["object"]}"#,
        "true",
        "[]",
    ] {
        let why = schema(bad).expect_err(bad);
        assert!(why.starts_with("tools: look: its schema "), "{why}");
    }
}
