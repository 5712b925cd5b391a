//! What an agent has done by its client: commands, what is told of them, and that they end.

use std::fs;
use std::path::Path;

use remuda::{Body, EventKind, Pool, Session, SessionOptions};
use remuda_tests::client::{TERMINALS, ask, ask_one, folder, refused, request, run, terminal};
use remuda_tests::{Scene, Tape, hanging, isolated_async};
use serde_json::{Value, json};

fn scene() -> Scene {
    Scene::new("acp", Pool::builder())
}

fn open(scene: &Scene, change: impl FnOnce(&mut SessionOptions)) -> Session {
    scene.open_with(|options| {
        options.client = TERMINALS;
        change(options);
    })
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
fn a_command_runs_in_the_directory_and_its_output_and_end_are_told() {
    isolated_async(async || {
        let scene = scene();
        let cwd = folder(&scene.options());
        fs::create_dir(cwd.join("sub")).expect("a folder");
        let session = open(&scene, |options| {
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
        let session = open(&scene, |_| ());
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
        let session = open(&scene, |_| ());
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
        let session = open(&scene, |_| ());
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
            let session = open(&scene, |_| ());
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
        let session = open(&scene, |_| ());
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
        let session = open(&scene, |_| ());
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
