//! Faults of the pipes: modes 21 to 34, 53, 54 and 58.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::io::{ErrorKind, Read, Write};
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use scripted_agent::{Action, InterruptMode, Script, Trigger};
use serde_json::{Value, json};
use support::{Run, Setup, WARM, answer, deltas, is_result, types};

/// Writes far more than a pipe holds; gives whether all of it was taken.
fn push(run: &mut Run) -> Result<(), ErrorKind> {
    let line = format!(
        "{}\n",
        json!({"type": "keep_alive", "filler": "x".repeat(1000)})
    );
    for _ in 0..1000 {
        let written = run.stdin.as_mut().unwrap().write_all(line.as_bytes());
        written.map_err(|why| why.kind())?;
    }
    Ok(())
}

/// An agent in a turn that did this at its start, with 1000 bytes written to it since.
fn pushed(instruction: &str) -> Run {
    let mut run = Setup::new().claude();
    run.prompt(&format!("{instruction} [[say now]] [[sleep-ms 50]]"));
    run.until(|line| line["event"]["delta"]["text"] == "now");
    run.stdin
        .as_mut()
        .unwrap()
        .write_all(&[b'\n'; 1000])
        .unwrap();
    run
}

fn unread(run: &Run) -> u64 {
    rustix::io::ioctl_fionread(run.stdin.as_ref().unwrap()).unwrap()
}

#[test]
fn mode_21_stops_reading() {
    let mut run = pushed("[[stop-reading]]");
    run.until(is_result);
    assert_eq!(unread(&run), 1000);
    let reads = pushed("");
    while unread(&reads) > 0 {}
}

#[test]
fn mode_22_reads_slowly_but_reads() {
    let run = pushed("[[read-slow 20]]");
    while unread(&run) == 1000 {}
    assert!(unread(&run) > 0);
    let mut run = Setup::new().claude();
    run.turn("[[read-slow 20000]]");
    assert_eq!(answer(&run.turn("still")), "You said: still");
}

#[test]
fn mode_23_closes_stdin_and_lives() {
    let mut run = Setup::new().claude();
    run.turn("[[close-stdin]]");
    assert_eq!(push(&mut run), Err(ErrorKind::BrokenPipe));
    assert!(run.child.try_wait().unwrap().is_none(), "it lives");
}

#[test]
fn mode_24_closes_stdout_and_lives() {
    let mut run = Setup::new().claude();
    run.prompt("[[say x]] [[close-stdout]]");
    let mut rest = String::new();
    run.stdout.read_to_string(&mut rest).unwrap();
    assert!(!rest.contains("\"result\""));
    assert!(run.child.try_wait().unwrap().is_none(), "it lives");
    assert_eq!(run.code(), Some(0));
}

#[test]
fn mode_25_floods_stderr() {
    let mut run = Setup::new().start(&["-p", "[[stderr 2]] [[say x]]"]);
    run.close();
    let mut errors = run.child.stderr.take().unwrap();
    let mut noise = Vec::new();
    errors.read_to_end(&mut noise).unwrap();
    assert_eq!(noise.len(), 2 << 20);
}

#[test]
fn mode_26_floods_stdout_without_a_gap() {
    let (mut run, thread) = Setup::new().codex();
    let count = |lines: &[Value]| deltas(lines).matches("flood ").count();
    assert_eq!(
        count(&run.codex_turn(3, &thread, "[[flood 20000]]")),
        20_000
    );
    let lines = Setup::new().claude().turn("[[flood 20000]]");
    assert_eq!((count(&lines), answer(&lines).len()), (20_000, 120_000));
}

/// Runs the agent with a stdout that keeps the borders of writes.
fn writes(script: &Script, prompt: &str) -> Vec<Vec<u8>> {
    let flags = SocketFlags::CLOEXEC;
    let (ours, theirs) =
        socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
    let setup = Setup::script(script);
    let arguments = [
        "-p",
        "--output-format=stream-json",
        "--verbose",
        "--include-partial-messages",
        prompt,
    ];
    let mut command = setup.command(&arguments);
    let mut child = command.stdout(theirs).spawn().unwrap();
    drop(command);
    let found = records(&ours);
    child.wait().unwrap();
    found
}

fn records(socket: &OwnedFd) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match rustix::io::read(socket, &mut buffer).unwrap() {
            0 => return found,
            count => found.push(buffer[..count].to_vec()),
        }
    }
}

#[test]
fn mode_27_writes_every_byte_alone() {
    let script = Script::new().on(Trigger::Start, [Action::OneByteWrites]);
    let found = writes(&script, "x");
    assert!(found.len() > 1000 && found.iter().all(|write| write.len() == 1));
    assert!(
        writes(&Script::new(), "x")
            .iter()
            .all(|write| write.ends_with(b"\n")),
        "otherwise whole lines"
    );
}

#[test]
fn mode_28_cuts_each_line_at_the_next_offset() {
    let script = Script::new().on(Trigger::Start, [Action::SplitLines]);
    let found = writes(&script, "[[words 400 é漢🎉]]");
    let pairs: Vec<&[Vec<u8>]> = found.chunks(2).collect();
    let cuts: Vec<usize> = pairs.iter().take(200).map(|pair| pair[0].len()).collect();
    assert!(cuts.windows(2).all(|two| two[1] == two[0] + 1), "{cuts:?}");
    assert!(
        pairs
            .iter()
            .any(|pair| std::str::from_utf8(&pair[0]).is_err()),
        "in the middle of a character"
    );
    let whole: Vec<u8> = found.concat();
    assert!(
        String::from_utf8(whole)
            .unwrap()
            .lines()
            .all(|line| serde_json::from_str::<Value>(line).is_ok())
    );
}

#[test]
fn mode_29_says_all_in_one_line() {
    let mut run = Setup::new().claude();
    run.prompt("[[line 2]]");
    let line = run.until(|line| {
        line["event"]["delta"]["text"]
            .as_str()
            .is_some_and(|text| text.len() == 2 << 20)
    });
    assert_eq!(
        types(&line).last().unwrap(),
        "stream_event/content_block_delta"
    );
}

#[test]
fn an_answer_can_have_an_exact_size() {
    let lines = Setup::new().claude().turn("[[bytes 1000001]]");
    assert_eq!(
        (deltas(&lines).len(), answer(&lines).len()),
        (1_000_001, 1_000_001)
    );
}

#[test]
fn mode_30_never_ends_a_line() {
    let script = Script::new().on(Trigger::Start, [Action::EndlessLine(3)]);
    let (output, _, _) = Setup::script(&script).claude().finish();
    assert!(output.len() > 3 << 20 && !output.contains(&b'\n'));
}

#[test]
fn mode_31_ends_without_a_newline() {
    let mut run = Setup::new().claude();
    run.prompt("[[no-final-newline]]");
    let (output, _, status) = run.finish();
    let last = String::from_utf8(output).unwrap();
    assert!(!last.ends_with('\n'));
    let result: Value = serde_json::from_str(last.lines().last().unwrap()).unwrap();
    assert_eq!(
        (result["type"].as_str(), status.code()),
        (Some("result"), Some(0))
    );
}

/// What an agent writes at start, before anything else.
fn at_start(action: Action) -> Vec<u8> {
    Setup::script(&Script::new().on(Trigger::Start, [action]))
        .claude()
        .finish()
        .0
}

#[test]
fn mode_32_makes_noise() {
    use scripted_agent::NoiseKind;
    assert!(at_start(Action::Noise(NoiseKind::Bom)).starts_with(b"\xef\xbb\xbf"));
    assert!(at_start(Action::Noise(NoiseKind::Nul)).contains(&0));
    assert!(at_start(Action::Noise(NoiseKind::Ansi)).contains(&0x1b));
    assert_eq!(at_start(Action::Noise(NoiseKind::Blank)), b"\n\r\n   \n");
    assert_eq!(
        String::from_utf8(at_start(Action::Noise(NoiseKind::All)))
            .unwrap()
            .lines()
            .count(),
        7
    );
    assert_eq!(
        at_start(Action::Raw("as it stands".to_owned())),
        b"as it stands\n"
    );
    let script = Script::new().on(Trigger::Start, [Action::Crlf]);
    let mut run = Setup::script(&script).claude();
    run.prompt("x");
    assert!(run.raw_line().ends_with(b"}\r\n"));
}

#[test]
fn mode_33_breaks_utf8_inside_a_delta() {
    let mut run = Setup::new().claude();
    run.prompt("[[invalid-utf8]] [[say x]]");
    let line = std::iter::repeat_with(|| run.raw_line())
        .find(|line| line.contains(&0xff))
        .unwrap();
    assert!(String::from_utf8_lossy(&line).contains("text_delta"));
    assert_eq!(answer(&run.until(is_result)), "x");
}

#[test]
fn mode_34_nests_deeply() {
    let line = at_start(Action::DeepJson(1000));
    let depth = String::from_utf8(line).unwrap().matches('[').count();
    assert_eq!(depth, 1000);
}

#[test]
fn mode_53_delays_every_write() {
    let script = Script::new()
        .on(Trigger::Start, [Action::DelayWrites(100_000)])
        .on(Trigger::AfterMs(100), [Action::Exit(7)]);
    let mut run = Setup::script(&script).claude();
    run.prompt("x");
    let (output, _, status) = run.finish();
    assert_eq!((output.as_slice(), status.code()), (&b""[..], Some(7)));
    assert_eq!(
        answer(&Setup::new().claude().turn("[[delay-writes 1]] [[say x]]")),
        "x"
    );
}

#[test]
fn mode_54_bursts_and_falls_silent() {
    let mut run = Setup::new().claude();
    run.prompt("[[burst 50]]");
    for _ in 0..50 {
        run.until(|line| line["event"]["delta"]["text"] == "burst ");
    }
    run.send(
        &json!({"type": "control_request", "request_id": "i", "request": {"subtype": "interrupt"}}),
    );
    assert_eq!(
        run.next()["type"],
        "control_response",
        "nothing came before the interrupt"
    );
}

#[test]
fn mode_58_shows_environment_and_descriptors() {
    let setup = Setup::new();
    let mut run = setup.claude();
    let said: Value = serde_json::from_str(&answer(&run.turn("[[env]]"))).unwrap();
    assert_eq!(
        said["env"]["SCRIPTED_AGENT_STATE"],
        setup.state.path().to_str().unwrap()
    );
    assert_eq!(said["args"], json!(WARM));
    let table: Value = serde_json::from_str(&answer(&run.turn("[[fds]]"))).unwrap();
    let link = std::fs::read_link(format!("/proc/{}/fd/1", run.pid())).unwrap();
    assert_eq!(table["1"], link.to_str().unwrap());
}

#[test]
fn paced_deltas_carry_rising_times() {
    let lines = Setup::new()
        .claude()
        .turn("[[paced 10000 per second 50 stamped]]");
    let text = deltas(&lines);
    let times: Vec<u64> = text
        .split_whitespace()
        .map(|word| word.parse().unwrap())
        .collect();
    assert_eq!(times.len(), 50);
    assert!(times.windows(2).all(|two| two[0] < two[1]));
    assert!(
        times[49] - times[0] >= 49 * 100_000 * 9 / 10,
        "not faster than asked"
    );
}

#[test]
fn settings_of_a_script_hold_from_the_start() {
    let script = Script::new().on(
        Trigger::Start,
        [Action::Interrupts(InterruptMode::Ignore, 0), Action::Crlf],
    );
    let mut run = Setup::script(&script).claude();
    run.prompt("x");
    assert!(run.raw_line().ends_with(b"\r\n"));
}
