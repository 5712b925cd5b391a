//! Agents whose lines are not what they should be: fault modes 32 to 36.

use remuda::Body;
use remuda::event::WarningCode;
use remuda_tests::{Lane, Stage, Told, each, script};
use scripted_agent::{Action, NoiseKind, Script, Trigger};

/// How many things the agent said that nobody knows.
fn unknown(told: &Told) -> usize {
    let bodies = told.events.iter().map(|event| &event.body);
    bodies
        .filter(|body| matches!(body, Body::Unknown { .. }))
        .count()
}

/// Plays a turn with such lines in it: they change nothing about the answer.
async fn says_x(lane: Lane, instruction: &str) -> Told {
    let mut stage = Stage::new(lane);
    let told = stage.ask(&format!("{instruction} [[say x]]")).await;
    assert_eq!(told.completed().text, "x");
    let next = stage.recalls(instruction).await;
    assert_eq!((told.downgrade(), next.downgrade()), (None, None));
    stage.end().await;
    told
}

#[test]
fn mode_32_noise_in_a_turn_is_a_warning() {
    each(&Lane::ALL, async |lane| {
        let told = says_x(lane, "[[noise all]]").await;
        // A banner and a line with NUL bytes; terminal escapes where no JSON follows them.
        assert!(told.warnings(WarningCode::Noise) >= 2, "{told:?}");
        let said = |part: &str| {
            told.events.iter().any(|event| {
                matches!(&event.body, Body::Warning { message, .. } if message.contains(part))
            })
        };
        assert!(said("Update available!"), "it can be read");
    });
}

#[test]
fn mode_32_noise_before_the_handshake_is_a_warning() {
    each(&Lane::ALL, async |lane| {
        let noise = script(Trigger::Start, [Action::Noise(NoiseKind::All)]);
        let mut stage = Stage::script(lane, &noise);
        let told = stage.ask("hello").await;
        assert_eq!(told.completed().text, "You said: hello");
        assert!(told.warnings(WarningCode::Noise) >= 2, "{told:?}");
        assert_eq!(told.downgrade(), None);
        stage.end().await;
    });
}

#[test]
fn mode_32_endless_noise_is_shown_in_part() {
    each(&Lane::ALL, async |lane| {
        let told = says_x(lane, &"[[noise banner]]".repeat(100)).await;
        let shown = told.warnings(WarningCode::Noise);
        assert!((1..=20).contains(&shown), "{shown} of 100 lines");
    });
}

#[test]
fn mode_32_crlf_byte_order_marks_and_blank_lines_are_no_noise() {
    each(&Lane::ALL, async |lane| {
        let told = says_x(lane, "[[crlf]] [[noise bom]] [[noise blank]]").await;
        assert_eq!(told.warnings(WarningCode::Noise), 0, "{told:?}");
    });
}

#[test]
fn mode_33_invalid_utf8_is_replaced() {
    each(&Lane::PIECES, async |lane| {
        let told = says_x(lane, "[[invalid-utf8]]").await;
        assert!(told.pieces().contains('\u{fffd}'), "{:?}", told.pieces());
        assert!(told.pieces().ends_with('x'), "{:?}", told.pieces());
    });
}

#[test]
fn mode_33_invalid_utf8_before_the_turn_is_survived() {
    each(&Lane::ALL, async |lane| {
        let bad = script(Trigger::Start, [Action::InvalidUtf8]);
        let mut stage = Stage::script(lane, &bad);
        let told = stage.ask("hello").await;
        assert_eq!(told.completed().text, "You said: hello");
        assert_eq!(told.downgrade(), None);
        stage.end().await;
    });
}

#[test]
fn mode_34_deep_json_overflows_nothing() {
    each(&Lane::ALL, async |lane| {
        for depth in [100, 127, 128, 1000, 1_000_000] {
            let told = says_x(lane, &format!("[[deep-json {depth}]]")).await;
            let noted = unknown(&told) + told.warnings(WarningCode::Noise);
            assert!(noted <= 1, "{told:?}");
            for event in &told.events {
                event.to_json().expect("every event has a JSON form");
            }
        }
    });
}

#[test]
fn mode_35_unknown_types_are_passed_on_as_they_are() {
    each(&Lane::ALL, async |lane| {
        let told = says_x(lane, "[[unknown-types]]").await;
        assert!(unknown(&told) >= 1, "{told:?}");
        let whole = told.events.iter().any(|event| {
            matches!(&event.body, Body::Unknown { raw } if raw.get().contains("future")
                || raw.get().contains("Future"))
        });
        assert!(whole, "{told:?}");
    });
}

#[test]
fn mode_36_wrong_types_hurt_nothing() {
    each(&Lane::ALL, async |lane| {
        let told = says_x(lane, "[[wrong-types]]").await;
        assert!(unknown(&told) + told.warnings(WarningCode::Noise) >= 1);
    });
}

#[test]
fn modes_35_and_36_before_the_handshake_hurt_nothing() {
    each(&Lane::ALL, async |lane| {
        let odd = Script::new().on(Trigger::Start, [Action::UnknownTypes, Action::WrongTypes]);
        let mut stage = Stage::script(lane, &odd);
        let told = stage.ask("hello").await;
        assert_eq!(told.completed().text, "You said: hello");
        assert_eq!(told.downgrade(), None);
        stage.end().await;
    });
}
