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
