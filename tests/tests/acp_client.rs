//! What an agent has done by its client: files of the session's directory and of no other, and who may say
//! no. Commands are in `acp_client_commands.rs`.

use std::fs;
use std::os::unix::fs::symlink;

use remuda::config::{Client, ClientFiles, Persistent, Requests, Sharing};
use remuda::event::{Resolution, ResolvedBy};
use remuda::request::{Action, Answer, Place, Rule, Scope};
use remuda::{Body, ErrorKind, Event, EventKind, Pool, Session, SessionOptions};
use remuda_tests::client::{
    FILES, TERMINALS, ask, ask_one, folder, refused, request, run, terminal,
};
use remuda_tests::{Scene, Tape, count, isolated_async};
use serde_json::{Value, json};

fn scene() -> Scene {
    Scene::new("acp", Pool::builder())
}

fn open(scene: &Scene, client: Client, change: impl FnOnce(&mut SessionOptions)) -> Session {
    scene.open_with(|options| {
        options.client = client;
        change(options);
    })
}

fn read(path: &str) -> String {
    request("fs/read_text_file", &json!({"path": path}))
}

fn write(path: &str, content: &str) -> String {
    let params = json!({"path": path, "content": content});
    request("fs/write_text_file", &params)
}

fn rule(action: Action, place: Option<Place>, command: Option<&str>) -> Rule {
    Rule {
        name: "of the host".to_owned(),
        action,
        tool: None,
        command: command.map(str::to_owned),
        path: place,
        mcp_server: None,
    }
}

/// How the questions were settled.
fn settled(events: &[std::sync::Arc<Event>]) -> Vec<(Resolution, ResolvedBy)> {
    let resolved = events.iter().filter_map(|event| {
        if let Body::RequestResolved { resolution, by, .. } = event.body {
            return Some((resolution, by));
        }
        None
    });
    resolved.collect()
}

#[test]
fn nothing_is_done_for_an_agent_whose_session_does_not_say_so() {
    isolated_async(async || {
        let scene = scene();
        let session = scene.open();
        let all = [read("a"), write("a", ""), run("true"), terminal("output")].concat();
        for reply in ask(&session, &all).await {
            assert_eq!(reply["error"]["code"], -32601, "{reply}");
        }
        let reading = Client {
            files: ClientFiles::Read,
            terminals: false,
        };
        let session = open(&scene, reading, |_| ());
        let codes = ask(&session, &all).await;
        let codes = codes.iter().map(|reply| reply["error"]["code"].clone());
        let missing = [-32002, -32601, -32601, -32601].map(Value::from);
        assert_eq!(codes.collect::<Vec<_>>(), missing);
        scene.end().await;
    });
}

#[test]
fn what_an_agent_has_not_done_by_its_client_cannot_be_wanted() {
    isolated_async(async || {
        let scene = scene();
        for (provider, client, option) in [
            ("claude", FILES, "client.files"),
            ("codex", TERMINALS, "client.terminals"),
            ("opencode", FILES, "client.files"),
            ("gemini", TERMINALS, "client.terminals"),
        ] {
            let mut options = scene.options();
            options.provider = provider.to_owned();
            options.client = client;
            let error = scene.pool.open(options).expect_err(provider);
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
            assert!(error.message().starts_with(option), "{error}");
        }
        scene.end().await;
    });
}

#[test]
fn files_are_read_and_written_without_a_word_to_the_host() {
    isolated_async(async || {
        for persistent in [Persistent::Auto, Persistent::Never] {
            let scene = scene();
            let session = open(&scene, FILES, |options| options.persistent = persistent);
            let tape = Tape::of(&session);
            let path = folder(&scene.options()).join("a.txt");
            let name = path.to_string_lossy();
            let part = json!({"path": name, "line": 2, "limit": 1});
            let all = [
                read(&name),
                write(&name, "one\ntwo\n"),
                request("fs/read_text_file", &part),
            ];
            let replies = ask(&session, &all.concat()).await;
            let missing = &replies[0]["error"];
            assert_eq!(
                (&missing["code"], &missing["data"]["uri"]),
                (&json!(-32002), &json!(name))
            );
            assert_eq!(replies[1]["result"], json!({}));
            assert_eq!(replies[2]["result"], json!({"content": "two\n"}));
            assert_eq!(
                fs::read_to_string(&path).expect("it was written"),
                "one\ntwo\n"
            );
            session.close();
            let events = tape.whole().await;
            for kind in [
                EventKind::RequestOpened,
                EventKind::FileChange,
                EventKind::Warning,
            ] {
                assert_eq!(
                    count(&events, kind),
                    0,
                    "the agent tells of its tools by itself"
                );
            }
            scene.end().await;
        }
    });
}

#[test]
fn nothing_outside_of_the_directory_is_read_or_written() {
    isolated_async(async || {
        let scene = scene();
        let outside = tempfile::tempdir().expect("a folder");
        let secret = outside.path().join("secret");
        fs::write(&secret, "secret").expect("a file");
        let cwd = folder(&scene.options());
        symlink(&secret, cwd.join("link")).expect("a link");
        symlink(outside.path(), cwd.join("folder")).expect("a link");
        let up = "../".repeat(cwd.components().count());
        let names = [
            secret.to_string_lossy().into_owned(),
            "/etc/hostname".to_owned(),
            format!("{}/{up}etc/hostname", cwd.display()),
            format!("{up}{}", secret.display()),
            cwd.join("link").to_string_lossy().into_owned(),
            cwd.join("folder/secret").to_string_lossy().into_owned(),
            "/proc/self/root/etc/hostname".to_owned(),
        ];
        let session = open(&scene, FILES, |_| ());
        let all: Vec<_> = { names.iter() }
            .flat_map(|name| [read(name), write(name, "taken")])
            .collect();
        let replies = ask(&session, &all.concat()).await;
        assert_eq!(replies.len(), 2 * names.len());
        for reply in &replies {
            refused(reply, "outside of the session's directory");
        }
        let made = write(&cwd.join("folder/new").to_string_lossy(), "x");
        refused(&ask_one(&session, &made).await, "outside");
        assert_eq!(fs::read_to_string(&secret).expect("it is there"), "secret");
        assert!(!outside.path().join("new").exists());
        scene.end().await;
    });
}

#[test]
fn what_is_no_text_file_of_a_good_size_is_refused_at_once() {
    isolated_async(async || {
        let scene = scene();
        let cwd = folder(&scene.options());
        let pipe = cwd.join("pipe");
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0)
            .expect("a pipe");
        fs::write(cwd.join("latin"), b"caf\xe9").expect("a file");
        let huge = fs::File::create(cwd.join("huge")).expect("a file");
        huge.set_len(1 << 40).expect("it takes no room");
        fs::create_dir(cwd.join("sub")).expect("a folder");
        let session = open(&scene, FILES, |_| ());
        for (what, words) in [
            (read("pipe"), "no regular file"),
            (write("pipe", "x"), "no regular file"),
            (read("sub"), "no regular file"),
            (write("sub", "x"), "folder"),
            (read("latin"), "no text in UTF-8"),
            (read("huge"), "more than 4194304 bytes"),
            (write("none/a", "x"), "its folder is not there"),
            (request("fs/read_text_file", &json!({})), "parameters"),
        ] {
            refused(&ask_one(&session, &what).await, words);
        }
        scene.end().await;
    });
}

#[test]
fn a_session_that_only_reads_writes_nothing_and_runs_nothing_and_says_so() {
    isolated_async(async || {
        let scene = scene();
        let both = Client {
            terminals: true,
            ..FILES
        };
        let session = open(&scene, both, |options| options.read_only = true);
        let tape = Tape::of(&session);
        let replies = ask(&session, &[write("a", "x"), run("touch b")].concat()).await;
        for reply in &replies {
            refused(reply, "rule: read_only");
        }
        let cwd = folder(&scene.options());
        assert!(!cwd.join("a").exists() && !cwd.join("b").exists());
        session.close();
        let denied = (Resolution::Denied, ResolvedBy::Rule);
        assert_eq!(settled(&tape.whole().await), [denied, denied]);
        scene.end().await;
    });
}

#[test]
fn rules_judge_what_is_written_and_run() {
    isolated_async(async || {
        let scene = scene();
        let both = Client {
            terminals: true,
            ..FILES
        };
        let session = open(&scene, both, |options| {
            options.rules = vec![
                rule(Action::Deny, None, Some("rm *")),
                rule(Action::Allow, Some(Place::InsideCwd), None),
                rule(Action::Ask, None, Some("git *")),
            ];
        });
        let tape = Tape::of(&session);
        let all = [
            write("a", "x"),
            run("cd . && rm a"),
            run("git log"),
            run("true"),
        ];
        let replies = ask(&session, &all.concat()).await;
        assert_eq!(replies[0]["result"], json!({}));
        refused(&replies[1], "rule: of the host");
        refused(&replies[2], "No one is there to approve this");
        assert_eq!(replies[3]["result"], json!({"terminalId": "1"}));
        assert!(folder(&scene.options()).join("a").exists());
        session.close();
        let wanted = [
            (Resolution::Allowed, ResolvedBy::Rule),
            (Resolution::Denied, ResolvedBy::Rule),
            (Resolution::Denied, ResolvedBy::NoHandler),
        ];
        assert_eq!(settled(&tape.whole().await), wanted);
        scene.end().await;
    });
}

#[test]
fn where_a_rule_asks_the_host_sees_the_change_and_decides() {
    isolated_async(async || {
        let scene = scene();
        let session = open(&scene, FILES, |options| {
            options.rules = vec![rule(Action::Ask, None, None)];
            options.requests = Requests::Host;
        });
        let mut tape = Tape::of(&session);
        for allowed in [true, false] {
            let turn = session.send(write("a", "new")).expect("accepted");
            let asked = tape.until_kind(EventKind::RequestOpened).await;
            let Body::RequestOpened {
                request,
                title,
                input,
                ..
            } = &asked.body
            else {
                panic!("{asked:?}");
            };
            let input: Value =
                serde_json::from_str(input.as_ref().expect("an input").get()).expect("JSON");
            assert_eq!((title.as_str(), &input["content"]), ("a", &json!("new")));
            assert_eq!(asked.turn, Some(turn.id()));
            let answer = if allowed {
                Answer::Allow {
                    scope: Scope::Once,
                    input: None,
                }
            } else {
                let message = "not this one".to_owned();
                let interrupt = false;
                Answer::Deny { message, interrupt }
            };
            session.answer(*request, answer).await.expect("it is taken");
            let text = turn.result().await.expect("an answer").text;
            let reply: Value = serde_json::from_str(&text).expect("a reply");
            if allowed {
                assert_eq!(reply["result"], json!({}));
                fs::remove_file(folder(&scene.options()).join("a")).expect("it was written");
            } else {
                refused(&reply, "not this one");
            }
        }
        assert!(!folder(&scene.options()).join("a").exists());
        scene.end().await;
    });
}

#[test]
fn a_question_about_a_change_goes_with_its_turn_and_nothing_is_written() {
    isolated_async(async || {
        let scene = scene();
        let session = open(&scene, FILES, |options| {
            options.rules = vec![rule(Action::Ask, None, None)];
            options.requests = Requests::Host;
        });
        let mut tape = Tape::of(&session);
        let turn = session.send(write("a", "new")).expect("accepted");
        tape.until_kind(EventKind::RequestOpened).await;
        turn.interrupt().await.expect("a receipt");
        turn.result().await.expect_err("it was interrupted");
        session.ask("next").await.expect("the process goes on");
        assert!(!folder(&scene.options()).join("a").exists());
        session.close();
        let events = tape.whole().await;
        assert_eq!(
            settled(&events),
            [(Resolution::Withdrawn, ResolvedBy::Agent)]
        );
        assert_eq!(count(&events, EventKind::ProcessStarted), 1);
        scene.end().await;
    });
}

#[test]
fn sessions_of_one_process_have_their_own_directories_and_offers_of_their_own_process() {
    isolated_async(async || {
        let pool = Pool::builder().sharing(Sharing::Shared);
        let scene = Scene::new("acp", pool);
        let cwd = folder(&scene.options());
        let place = |name: &str| {
            fs::create_dir(cwd.join(name)).expect("a folder");
            fs::write(cwd.join(name).join("own"), name).expect("a file");
            cwd.join(name)
        };
        let (one, two) = (place("one"), place("two"));
        let first = open(&scene, FILES, |options| options.cwd.clone_from(&one));
        let second = open(&scene, FILES, |options| options.cwd.clone_from(&two));
        for (session, name) in [(&first, "one"), (&second, "two")] {
            let reply = ask_one(session, &read("own")).await;
            assert_eq!(reply["result"], json!({"content": name}));
        }
        assert_eq!(scene.pool.stats().processes, 1);
        let other = one.join("own").to_string_lossy().into_owned();
        refused(&ask_one(&second, &read(&other)).await, "outside");
        let third = open(&scene, Client::default(), |options| {
            options.cwd.clone_from(&two);
        });
        assert_eq!(ask_one(&third, &read("own")).await["error"]["code"], -32601);
        assert_eq!(scene.pool.stats().processes, 2);
        scene.end().await;
    });
}
