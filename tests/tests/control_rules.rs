//! Rules that answer the agents' questions before anybody is asked.

use remuda::event::{Resolution, ResolvedBy};
use remuda::request::{Action, Place, Rule};
use remuda::{Feature, Pool, SessionOptions};
use remuda_tests::{Scene, Tape, each_that, finish, questions, settled};

/// Runs a scenario once for each protocol whose agents ask.
fn each_asker(scenario: impl AsyncFn(&'static str)) {
    each_that(Feature::CommandApproval, scenario);
}

fn rule(name: &str, action: Action) -> Rule {
    Rule {
        name: name.to_owned(),
        action,
        tool: None,
        command: None,
        path: None,
        mcp_server: None,
    }
}

fn command(name: &str, action: Action, pattern: &str) -> Rule {
    Rule {
        command: Some(pattern.to_owned()),
        ..rule(name, action)
    }
}

/// The agents' names of the tools that run commands and change files.
fn tools(protocol: &str) -> [&'static str; 2] {
    match protocol {
        "claude" => ["Bash", "Write"],
        _ => ["commandExecution", "fileChange"],
    }
}

/// Asks one question after another, in a session where nobody answers, and says how each was settled.
async fn settle(
    protocol: &'static str,
    prompts: &[&str],
    set: impl FnOnce(&mut SessionOptions),
) -> Vec<(Resolution, ResolvedBy, Option<String>)> {
    let scene = Scene::new(protocol, Pool::builder());
    let session = scene.open_with(set);
    let tape = Tape::of(&session);
    for prompt in prompts {
        let prompt = format!("[[ask {prompt}]] [[say done]]");
        let result = session.ask(prompt).await.expect("it goes on");
        assert_eq!(result.text, "done");
    }
    let events = finish(scene, session, tape).await;
    let ids = { questions(&events).into_iter() }.map(|asked| asked.id);
    ids.filter_map(|id| settled(&events, id)).collect()
}

fn by_rule(resolution: Resolution, rule: &str) -> (Resolution, ResolvedBy, Option<String>) {
    (resolution, ResolvedBy::Rule, Some(rule.to_owned()))
}

#[test]
fn the_first_rule_that_matches_decides_and_is_named() {
    each_asker(async |protocol| {
        let [_, files] = tools(protocol);
        let file_rule = |name, action, place| Rule {
            tool: Some(files.to_owned()),
            path: Some(place),
            ..rule(name, action)
        };
        let rules = vec![
            command("no rm", Action::Deny, "rm *"),
            command("history", Action::Allow, "git log *"),
            command("git", Action::Ask, "git *"),
            command("never reached", Action::Allow, "git push"),
            file_rule("here", Action::Allow, Place::InsideCwd),
            file_rule("elsewhere", Action::Deny, Place::OutsideCwd),
        ];
        let prompts = [
            r#"Bash "rm -rf x""#,
            r#"Bash "git log -3""#,
            r#"Bash "git log; rm x""#,
            r#"Bash "git push""#,
            "Bash make",
            "Write a.txt",
            "Write sub/../b.txt",
            "Write ../c.txt",
        ];
        let nobody = (Resolution::Denied, ResolvedBy::NoHandler, None);
        assert_eq!(
            settle(protocol, &prompts, |options| options.rules = rules).await,
            [
                by_rule(Resolution::Denied, "no rm"),
                by_rule(Resolution::Allowed, "history"),
                by_rule(Resolution::Denied, "no rm"),
                nobody.clone(),
                nobody,
                by_rule(Resolution::Allowed, "here"),
                by_rule(Resolution::Allowed, "here"),
                by_rule(Resolution::Denied, "elsewhere"),
            ]
        );
    });
}

#[test]
fn a_rule_may_be_about_a_tool_and_read_only_comes_before_all_rules() {
    each_asker(async |protocol| {
        let [commands, _] = tools(protocol);
        let no_commands = Rule {
            tool: Some(commands.to_owned()),
            ..rule("no commands", Action::Deny)
        };
        let rules = vec![no_commands, rule("the rest", Action::Allow)];
        let prompts = ["Bash ls", "Write a.txt"];
        assert_eq!(
            settle(protocol, &prompts, |options| options.rules = rules).await,
            [
                by_rule(Resolution::Denied, "no commands"),
                by_rule(Resolution::Allowed, "the rest"),
            ]
        );
        let read_only = |options: &mut SessionOptions| {
            options.read_only = true;
            options.rules = vec![rule("everything", Action::Allow)];
        };
        assert_eq!(
            settle(protocol, &prompts, read_only).await,
            [
                by_rule(Resolution::Denied, "read_only"),
                by_rule(Resolution::Denied, "read_only"),
            ]
        );
    });
}
