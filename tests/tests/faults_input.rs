//! Agents that do not read as they should: fault modes 21 to 23.

use remuda::ErrorKind;
use remuda_tests::{Lane, Stage, each, script, soon};
use scripted_agent::{Action, Script, Trigger};

/// More than a socket holds, and less than any agent's limit.
fn long_message() -> String {
    format!("long {}", "x".repeat(1_000_000))
}

#[test]
fn mode_21_an_agent_that_stops_reading_fails_the_write_and_the_turn_is_retried() {
    each(&Lane::WARM, async |lane| {
        let timeouts = soon(|t, second| t.write = second);
        let deaf = script(Trigger::Turn(1), [Action::StopReading]);
        let mut stage = Stage::with(lane, &deaf, timeouts);
        assert_eq!(stage.ask("[[say x]]").await.completed().text, "x");
        let told = stage.ask(&long_message()).await;
        told.was_retried(ErrorKind::WriteFailed);
        stage.recalls("[[say x]]").await;
        stage.end().await;
    });
}

#[test]
fn mode_21_a_message_that_fits_the_socket_is_retried_when_no_sign_comes() {
    each(&Lane::WARM, async |lane| {
        let timeouts = soon(|t, second| t.first_sign = second);
        let deaf = script(Trigger::Turn(1), [Action::StopReading]);
        let mut stage = Stage::with(lane, &deaf, timeouts);
        assert_eq!(stage.ask("[[say x]]").await.completed().text, "x");
        let told = stage.recalls("[[say x]]").await;
        told.was_retried(ErrorKind::FirstOutputTimeout);
        stage.end().await;
    });
}

#[test]
fn mode_21_a_process_of_one_turn_that_does_not_read_fails_it() {
    each(&Lane::ONE_SHOT, async |lane| {
        let timeouts = soon(|t, second| t.write = second);
        let deaf = script(Trigger::Start, [Action::Freeze]);
        let mut stage = Stage::with(lane, &deaf, timeouts);
        let told = stage.ask(&long_message()).await;
        let failure = told.failed_with_downgrade(ErrorKind::WriteFailed, false);
        assert!(failure.message.contains("bytes wait"), "{failure:?}");
        stage.ask(&long_message()).await.completed();
        stage.end().await;
    });
}

#[test]
fn mode_22_an_agent_that_reads_slowly_is_waited_for() {
    each(
        &[Lane::ClaudeWarm, Lane::ClaudeOneShot, Lane::CodexWarm],
        async |lane| {
            let timeouts = soon(|t, second| t.write = second);
            let slow = Script::new().on(Trigger::Start, [Action::ReadSlow(10_000)]);
            let mut stage = Stage::with(lane, &slow, timeouts);
            let told = stage.ask("slowly").await;
            assert_eq!(told.completed().text, "You said: slowly");
            assert_eq!(told.downgrade(), None);
            stage.end().await;
        },
    );
}

#[test]
fn mode_22_a_byte_per_second_is_too_slow_for_a_sign_and_the_turn_is_retried() {
    each(&Lane::WARM, async |lane| {
        let timeouts = soon(|t, second| t.first_sign = second);
        let slow = script(Trigger::Turn(1), [Action::ReadSlow(1)]);
        let mut stage = Stage::with(lane, &slow, timeouts);
        assert_eq!(stage.ask("[[say x]]").await.completed().text, "x");
        let told = stage.recalls("[[say x]]").await;
        told.was_retried(ErrorKind::FirstOutputTimeout);
        stage.end().await;
    });
}

#[test]
fn mode_22_other_sessions_do_not_wait_for_a_slow_one() {
    each(&Lane::WARM, async |lane| {
        let slow = Script::new().on(Trigger::Prompt("slow".into()), [Action::ReadSlow(1)]);
        let mut stage = Stage::script(lane, &slow);
        stage.ask("slow").await.completed();
        let waiting = stage.session.send(long_message()).expect("it is accepted");
        let other = stage.pool.open(stage.agents.options()).expect("a session");
        let result = other.ask("hello").await.expect("it is answered");
        assert_eq!(result.text, "You said: hello");
        assert!(other.closed().await.is_empty());
        drop(waiting);
        stage.end().await;
    });
}

#[test]
fn mode_23_an_agent_that_closes_its_input_is_replaced_by_the_next_turn() {
    each(&Lane::WARM, async |lane| {
        let mut stage = Stage::new(lane);
        let told = stage.ask("[[close-stdin]] [[say x]]").await;
        assert_eq!(told.completed().text, "x");
        let told = stage.recalls("[[say x]]").await;
        told.was_retried(ErrorKind::WriteFailed);
        stage.end().await;
    });
}

#[test]
fn mode_23_a_process_of_one_turn_that_closes_its_input_fails_it() {
    each(&[Lane::ClaudeOneShot], async |lane| {
        let deaf = script(Trigger::Start, [Action::CloseStdin]);
        let mut stage = Stage::script(lane, &deaf);
        let told = stage.ask(&long_message()).await;
        assert!(!told.is_completed());
        assert_eq!(told.downgrade(), None);
        assert_eq!(stage.ask("again").await.completed().text, "You said: again");
        stage.end().await;
    });
}
