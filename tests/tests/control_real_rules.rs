//! Turn control, with the real agents: rules that answer in the host's place, and name themselves.

use remuda::config::{PermissionMode, Requests};
use remuda::event::{Resolution, ResolvedBy};
use remuda::request::{Action, Place, Rule, Scope};
use remuda::{Event, Pool, SessionOptions};
use remuda_tests::{
    Agent, Real, answer, answered, calling, closed, model, questions, rule, settled,
    with_real_agents, yes,
};
use serde_json::{Value, json};
use std::sync::Arc;

with_real_agents! {
    a_rule_answers_and_is_named
    the_first_rule_that_matches_decides
    a_rule_may_be_about_a_tool
    a_rule_may_be_about_a_place
    a_rule_may_be_about_an_mcp_server
    a_reader_is_denied_whatever_its_mode
    a_reader_calls_no_tool_of_a_server_that_writes;
    one_shot_claude:
    the_first_rule_that_matches_decides
    a_reader_is_denied_whatever_its_mode;
    one_shot_codex:
    a_reader_is_denied_whatever_its_mode
}

/// The MCP server with tools that read and tools that write.
const SERVER: &str = env!("CARGO_BIN_EXE_mcp-bytes");

fn about(name: &str, action: Action, command: &str) -> Rule {
    Rule {
        command: Some(command.to_owned()),
        ..rule(name, action)
    }
}

/// How a question was settled.
type Settled = (Resolution, ResolvedBy, Option<String>);

/// How all questions were settled, in their order.
fn all_settled(events: &[Arc<Event>]) -> Vec<Settled> {
    let questions = questions(events);
    let settled = questions.iter().map(|asked| settled(events, asked.id));
    settled.map(|how| how.expect("it is settled")).collect()
}

fn by_rule(resolution: Resolution, name: &str) -> Settled {
    (resolution, ResolvedBy::Rule, Some(name.to_owned()))
}

/// Calls one tool after another in a session where rules alone answer, and says how the questions were
/// settled.
async fn settle(options: SessionOptions, calls: &[Value]) -> Vec<Settled> {
    let pool = Pool::new().expect("a pool");
    let options = SessionOptions {
        // Rules need nobody.
        requests: Requests::Deny,
        ..options
    };
    let session = pool.open(options).expect("a session");
    for call in calls {
        let prompt = model(&json!([call, "done"]));
        assert_eq!(answer(&session, &prompt).await, "done", "{call}");
    }
    all_settled(&closed(&session).await)
}

async fn a_rule_answers_and_is_named(real: Real) {
    let options = SessionOptions {
        rules: vec![
            about("no-secrets", Action::Deny, "touch secret*"),
            about("touching", Action::Allow, "touch *"),
        ],
        ..real.answering()
    };
    let calls = ["touch made.txt", "touch secret.txt"].map(|command| real.risky(command));
    let told = [
        by_rule(Resolution::Allowed, "touching"),
        by_rule(Resolution::Denied, "no-secrets"),
    ];
    assert_eq!(settle(options, &calls).await, told);
    assert!(real.project().join("made.txt").exists());
    assert!(!real.project().join("secret.txt").exists());
}

/// A rule that asks ends the search as well: what stands behind it is not heard.
async fn the_first_rule_that_matches_decides(real: Real) {
    let pool = Pool::new().expect("a pool");
    let options = SessionOptions {
        rules: vec![
            about("mine", Action::Ask, "touch mine*"),
            about("never-heard", Action::Deny, "touch mine.txt"),
            about("touching", Action::Allow, "touch *"),
            about("too-late", Action::Deny, "touch other.txt"),
        ],
        ..real.answering()
    };
    let session = pool.open(options).expect("a session");
    let touch = |file: &str| model(&json!([real.risky(&format!("touch {file}")), "done"]));
    let (_, turn) = answered(&session, &touch("mine.txt"), yes(Scope::Once)).await;
    turn.result().await.expect("a good end");
    answer(&session, &touch("other.txt")).await;
    for file in ["mine.txt", "other.txt"] {
        assert!(real.project().join(file).exists(), "{file}");
    }
    let told = [
        (Resolution::Allowed, ResolvedBy::Host, None),
        by_rule(Resolution::Allowed, "touching"),
    ];
    assert_eq!(all_settled(&closed(&session).await), told);
}

async fn a_rule_may_be_about_a_tool(real: Real) {
    let tool = match real.agent() {
        Agent::Claude => "Bash",
        Agent::Codex => "commandExecution",
    };
    let options = SessionOptions {
        rules: vec![
            Rule {
                tool: Some(tool.to_owned()),
                ..rule("no-commands", Action::Deny)
            },
            rule("the-rest", Action::Allow),
        ],
        ..real.answering()
    };
    let calls = [
        real.risky("touch made.txt"),
        real.edit("edited.txt", "made"),
    ];
    let told = [
        by_rule(Resolution::Denied, "no-commands"),
        by_rule(Resolution::Allowed, "the-rest"),
    ];
    assert_eq!(settle(options, &calls).await, told);
    assert!(!real.project().join("made.txt").exists());
    assert!(real.project().join("edited.txt").exists());
}

/// Whatever way there is out of the project, a link among them.
async fn a_rule_may_be_about_a_place(real: Real) {
    let outside = real.project().join("../outside");
    std::fs::create_dir(&outside).expect("a folder");
    std::os::unix::fs::symlink(&outside, real.project().join("link")).expect("a link");
    let place = |name, action, place| Rule {
        path: Some(place),
        ..rule(name, action)
    };
    let options = SessionOptions {
        rules: vec![
            place("elsewhere", Action::Deny, Place::OutsideCwd),
            place("here", Action::Allow, Place::InsideCwd),
        ],
        ..real.answering()
    };
    let files = ["made.txt", "../outside/a.txt", "link/b.txt"];
    let calls = files.map(|file| real.edit(file, "made"));
    let told = [
        by_rule(Resolution::Allowed, "here"),
        by_rule(Resolution::Denied, "elsewhere"),
        by_rule(Resolution::Denied, "elsewhere"),
    ];
    assert_eq!(settle(options, &calls).await, told);
    assert!(real.project().join("made.txt").exists());
    let made = std::fs::read_dir(outside).expect("a folder");
    assert_eq!(made.count(), 0);
}

async fn a_rule_may_be_about_an_mcp_server(real: Real) {
    for (action, resolution) in [
        (Action::Allow, Resolution::Allowed),
        (Action::Deny, Resolution::Denied),
    ] {
        let pool = Pool::new().expect("a pool");
        let options = SessionOptions {
            rules: vec![
                Rule {
                    mcp_server: Some("other".to_owned()),
                    ..rule("other-server", Action::Deny)
                },
                Rule {
                    mcp_server: Some("byt*".to_owned()),
                    ..rule("server", action)
                },
            ],
            requests: Requests::Deny,
            ..real.with_server(SERVER)
        };
        let session = pool.open(options).expect("a session");
        let said = answer(&session, &calling("erase")).await;
        let ran = action == Action::Allow;
        assert_eq!(said.contains("all erased"), ran, "{said}");
        let told = [by_rule(resolution, "server")];
        assert_eq!(all_settled(&closed(&session).await), told);
    }
}

async fn a_reader_is_denied_whatever_its_mode(real: Real) {
    let modes = [
        PermissionMode::Default,
        PermissionMode::AcceptEdits,
        PermissionMode::BypassPermissions,
    ];
    for mode in modes {
        let pool = Pool::new().expect("a pool");
        let options = SessionOptions {
            read_only: true,
            ..real.answering_in(mode)
        };
        let session = pool.open(options).expect("a session");
        for call in [real.risky("touch made.txt"), real.edit("made.txt", "made")] {
            let prompt = model(&json!([call, "as you wish"]));
            assert_eq!(answer(&session, &prompt).await, "as you wish");
            assert!(!real.project().join("made.txt").exists(), "{mode:?}");
        }
        let events = closed(&session).await;
        for asked in questions(&events) {
            let by_rule = (
                Resolution::Denied,
                ResolvedBy::Rule,
                Some("read_only".to_owned()),
            );
            assert_eq!(settled(&events, asked.id), Some(by_rule), "{asked:?}");
        }
    }
}

/// Whatever the host's own rules say.
async fn a_reader_calls_no_tool_of_a_server_that_writes(real: Real) {
    for mode in [PermissionMode::Default, PermissionMode::BypassPermissions] {
        let pool = Pool::new().expect("a pool");
        let options = SessionOptions {
            read_only: true,
            permission_mode: mode,
            rules: vec![rule("everything", Action::Allow)],
            ..real.with_server(SERVER)
        };
        let session = pool.open(options).expect("a session");
        let said = answer(&session, &calling("erase")).await;
        assert!(!said.contains("all erased"), "{mode:?}: {said}");
        for how in all_settled(&closed(&session).await) {
            assert_eq!(how, by_rule(Resolution::Denied, "read_only"));
        }
    }
}
