//! What an agent has done by its client: files and commands of the session's directory, and of nothing
//! else. The agent says whole what it is answered.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use remuda::config::{Client, ClientFiles, Persistent, Requests, Sharing};
use remuda::event::{Resolution, ResolvedBy};
use remuda::request::{Action, Answer, Place, Rule, Scope};
use remuda::{Body, ErrorKind, Event, EventKind, Pool, Session, SessionOptions};
use remuda_tests::{Scene, Tape, count, hanging, isolated_async};
use serde_json::{Value, json};

const FILES: Client = Client {
    files: ClientFiles::ReadWrite,
    terminals: false,
};
const TERMINALS: Client = Client {
    files: ClientFiles::None,
    terminals: true,
};

fn scene() -> Scene {
    Scene::new("acp", Pool::builder())
}

fn open(scene: &Scene, client: Client, change: impl FnOnce(&mut SessionOptions)) -> Session {
    scene.open_with(|options| {
        options.client = client;
        change(options);
    })
}

/// An instruction to have this done. The first `]]` would end it.
fn request(method: &str, params: &Value) -> String {
    let quoted = Value::from(params.to_string()).to_string();
    let quoted = quoted.replace('[', "\\u005b").replace(']', "\\u005d");
    format!("[[request {method} {quoted}]]")
}

fn read(path: &str) -> String {
    request("fs/read_text_file", &json!({"path": path}))
}

fn write(path: &str, content: &str) -> String {
    let params = json!({"path": path, "content": content});
    request("fs/write_text_file", &params)
}

/// An instruction to run this line.
fn run(line: &str) -> String {
    request("terminal/create", &json!({"command": line}))
}

/// An instruction about the last terminal.
fn terminal(method: &str) -> String {
    request(&format!("terminal/{method}"), &json!({}))
}

/// Sends a message, and gives what the agent was answered to each of its instructions, which it says in a
/// message each.
async fn ask(session: &Session, prompt: &str) -> Vec<Value> {
    let mut turn = session.send(prompt).expect("accepted");
    let mut replies = Vec::new();
    while let Some(event) = turn.next().await {
        if let Body::Message { text, .. } = &event.body {
            replies.push(serde_json::from_str(text).expect("a reply"));
        }
    }
    turn.result().await.expect("an answer");
    replies
}

/// The one reply to one instruction.
async fn ask_one(session: &Session, prompt: &str) -> Value {
    let mut replies = ask(session, prompt).await;
    assert_eq!(replies.len(), 1, "{replies:?}");
    replies.remove(0)
}

fn refused(reply: &Value, words: &str) {
    let message = reply["error"]["message"].as_str().unwrap_or_default();
    assert!(message.contains(words), "{words}: {reply}");
}

fn folder(session: &SessionOptions) -> PathBuf {
    session.cwd.canonicalize().expect("it is there")
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

fn is_alive(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}

/// Runs a command that does not end by itself, and gives its process and one that left its group and its
/// session.
async fn lasting(session: &Session, scene: &Scene) -> [String; 2] {
    let line = "setsid sh -c 'echo $$ > pid.new; mv pid.new pid; exec sleep 1000' & \
                until [ -s pid ]; do sleep 0.01; done; echo $$ > own.new; mv own.new own; sleep 1000";
    ask_one(session, &run(line)).await;
    let cwd = folder(&scene.options());
    remuda_tests::wait_until("both run", || cwd.join("own").exists());
    let pids = ["own", "pid"].map(|name| {
        let pid = fs::read_to_string(cwd.join(name)).expect("it was written");
        pid.trim().to_owned()
    });
    assert!(pids.iter().all(|pid| is_alive(pid)), "{pids:?}");
    pids
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

#[test]
fn a_command_runs_in_the_directory_and_its_output_and_end_are_told() {
    isolated_async(async || {
        let scene = scene();
        let cwd = folder(&scene.options());
        fs::create_dir(cwd.join("sub")).expect("a folder");
        let session = open(&scene, TERMINALS, |options| {
            options
                .environment
                .set
                .insert("MINE".to_owned(), "yes".to_owned());
        });
        let create = json!({"command": "sh", "cwd": cwd.join("sub"), "args":
            ["-c", "pwd; echo $MINE $YOURS ${REMUDA_TREE:+tree}; echo err >&2; echo out; read x; exit 3"],
            "env": [{"name": "YOURS", "value": "too"}]});
        let all = [
            request("terminal/create", &create),
            terminal("wait_for_exit"),
            terminal("output"),
            terminal("release"),
            terminal("output"),
        ];
        let replies = ask(&session, &all.concat()).await;
        assert_eq!(replies[1]["result"], json!({"exitCode": 3}));
        let said = format!("{}/sub\nyes too tree\nerr\nout\n", cwd.display());
        let status = json!({"exitCode": 3});
        let whole = json!({"output": said, "truncated": false, "exitStatus": status});
        assert_eq!(replies[2]["result"], whole);
        assert_eq!(replies[3]["result"], json!({}));
        refused(&replies[4], "there is no terminal");
        scene.end().await;
    });
}

#[test]
fn a_command_is_killed_with_all_that_it_started() {
    isolated_async(async || {
        let scene = scene();
        let session = open(&scene, TERMINALS, |_| ());
        let pids = lasting(&session, &scene).await;
        let all = [
            terminal("kill"),
            terminal("wait_for_exit"),
            terminal("output"),
        ];
        // The terminal of the turn before is the last one still.
        let create = run("sleep 1000");
        let replies = ask(&session, &[create.clone(), all.concat()].concat()).await;
        assert_eq!(replies[2]["result"], json!({"signal": "SIGKILL"}));
        assert_eq!(
            replies[3]["result"]["exitStatus"],
            json!({"signal": "SIGKILL"})
        );
        assert!(
            pids.iter().all(|pid| is_alive(pid)),
            "each command by itself"
        );
        let released = request("terminal/release", &json!({}));
        ask(&session, &[create, released].concat()).await;
        session.closed().await;
        assert!(!pids.iter().any(|pid| is_alive(pid)), "closed means gone");
        scene.end().await;
    });
}

#[test]
fn the_end_of_a_long_output_is_kept() {
    isolated_async(async || {
        let scene = scene();
        let session = open(&scene, TERMINALS, |_| ());
        let line = "i=0; while [ $i -lt 2000 ]; do echo €$i; i=$((i+1)); done";
        let create = json!({"command": line, "outputByteLimit": 15});
        let all = [
            request("terminal/create", &create),
            terminal("wait_for_exit"),
            terminal("output"),
        ];
        let replies = ask(&session, &all.concat()).await;
        // The cut is in the middle of a character, which is left out.
        let kept = json!("1998\n€1999\n");
        let output = &replies[2]["result"];
        assert!(
            output["output"]
                .as_str()
                .is_some_and(|text| text.len() <= 15)
        );
        assert_eq!(
            (&output["output"], &output["truncated"]),
            (&kept, &json!(true))
        );
        scene.end().await;
    });
}

#[test]
fn a_command_that_cannot_be_started_is_refused_with_a_reason() {
    isolated_async(async || {
        let scene = scene();
        let session = open(&scene, TERMINALS, |_| ());
        let create = |params: Value| request("terminal/create", &params);
        for (what, words) in [
            (
                create(json!({"command": "no-such-program", "args": ["x"]})),
                "no such program",
            ),
            (create(json!({"command": "ls", "cwd": "/"})), "outside"),
            (
                create(json!({"command": "ls", "cwd": "none"})),
                "no such file",
            ),
            (
                create(json!({"command": "ls", "env": [{"name": "A=", "value": ""}]})),
                "variable",
            ),
        ] {
            refused(&ask_one(&session, &what).await, words);
        }
        let many = [run("true").repeat(17), terminal("wait_for_exit")].concat();
        let replies = ask(&session, &many).await;
        refused(&replies[16], "16 terminals are open");
        scene.end().await;
    });
}

#[test]
fn commands_end_with_the_session_with_its_process_and_when_it_is_evicted() {
    isolated_async(async || {
        for how in ["close", "evict", "die"] {
            let scene = Scene::new("acp", Pool::builder().max_warm(1));
            let session = open(&scene, TERMINALS, |_| ());
            let mut tape = Tape::of(&session);
            let pids = lasting(&session, &scene).await;
            match how {
                "close" => session.close(),
                "die" => drop(session.ask("[[kill-self]]").await.expect_err("it dies")),
                _ => {
                    let other = scene.open();
                    drop(hanging(&other).await);
                    other.close();
                }
            }
            tape.until_kind(EventKind::ProcessStopped).await;
            assert!(!pids.iter().any(|pid| is_alive(pid)), "{how}");
            session.close();
            tape.whole().await;
            scene.end().await;
        }
    });
}

#[test]
fn a_wait_for_a_command_outlasts_its_turn_and_ends_with_the_process() {
    isolated_async(async || {
        let scene = scene();
        let session = open(&scene, TERMINALS, |_| ());
        let mut tape = Tape::of(&session);
        lasting(&session, &scene).await;
        let turn = session.send([run("sleep 1000"), terminal("wait_for_exit")].concat());
        let turn = turn.expect("accepted");
        tape.until("the second command runs", |event| {
            let is_text =
                matches!(&event.body, Body::TextDelta { text, .. } if text.contains("\"2\""));
            is_text
        })
        .await;
        turn.interrupt().await.expect("a receipt");
        turn.result().await.expect_err("it was interrupted");
        session.ask("next").await.expect("the process goes on");
        session.close();
        tape.whole().await;
        scene.end().await;
    });
}

#[test]
fn an_agents_login_is_no_concern_of_commands() {
    isolated_async(async || {
        let scene = scene();
        let session = open(&scene, TERMINALS, |_| ());
        let all = [run("env"), terminal("wait_for_exit"), terminal("output")];
        let replies = ask(&session, &all.concat()).await;
        let env = replies[2]["result"]["output"].as_str().expect("a text");
        let names: Vec<_> = env
            .lines()
            .filter_map(|line| line.split_once('='))
            .collect();
        let has = |wanted: &str| names.iter().any(|(name, _)| *name == wanted);
        assert!(has("PATH") && has("SCRIPTED_AGENT_STATE"), "{env}");
        assert!(!has("REMUDA_TEST_ISOLATED"), "only what is listed");
        let cwd = folder(&scene.options());
        let pwd = names
            .iter()
            .find(|(name, _)| *name == "PWD")
            .map(|(_, value)| Path::new(value));
        assert!(pwd.is_none_or(|pwd| pwd == cwd), "{env}");
        scene.end().await;
    });
}
