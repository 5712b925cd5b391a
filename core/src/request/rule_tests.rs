use super::*;

fn rule(action: Action) -> Rule {
    Rule {
        name: format!("{action:?}"),
        action,
        tool: None,
        command: None,
        path: None,
        mcp_server: None,
    }
}

fn command(action: Action, pattern: &str, command: &str) -> bool {
    let rule = Rule {
        command: Some(pattern.into()),
        ..rule(action)
    };
    let subject = Subject {
        command: Some(command.into()),
        ..Subject::default()
    };
    decide(&[rule], false, Path::new("/w"), &subject).is_some()
}

#[test]
fn a_rule_has_a_name_of_its_own_on_one_line() {
    let named = |name: &str| Rule {
        name: name.into(),
        action: Action::Ask,
        tool: None,
        command: None,
        path: None,
        mcp_server: None,
    };
    for bad in ["", "  ", "two\nlines", READ_ONLY] {
        assert!(named(bad).check().is_err(), "{bad:?}");
    }
    assert!(named("no shell").check().is_ok());
}

#[test]
fn commands_match_word_by_word() {
    use Action::Allow;
    assert!(command(Allow, "git log *", "git log --oneline -3"));
    assert!(command(Allow, "git log *", "git log"));
    assert!(!command(Allow, "git log", "git log --oneline"));
    assert!(!command(Allow, "git log *", "gitlog"));
    assert!(command(Allow, "npm run test:*", "npm run test:unit"));
    assert!(!command(Allow, "npm run test:*", "npm run build"));
    assert!(!command(Allow, "ls *", ""));
}

#[test]
fn a_command_of_several_parts_is_never_allowed_by_one_of_them() {
    for trick in [
        "git log; rm -rf /",
        "git log && rm x",
        "git log | sh",
        "git log $(rm x)",
        "git log `rm x`",
        "git log > /etc/passwd",
        "git log\nrm x",
        "git log & rm x",
        "git log # x",
        "git log 'a b'",
        "git log \u{a0}x",
        "git log ~/x",
        "git log *",
        "git log a*",
        "git log a?",
        "git log [ab]",
        "git log {a,b}",
        "git log !!",
    ] {
        assert!(!command(Action::Allow, "git log *", trick), "{trick}");
    }
}

#[test]
fn a_command_is_denied_by_any_of_its_parts() {
    for trick in [
        "ls; rm -rf /",
        "true && rm x",
        "echo $(rm x)",
        "rm x",
        "'rm' -rf x",
        "\\rm x",
        "{ rm x; }",
        "if true; then rm x; fi",
        "X=1 rm x",
        "! rm x",
        "sudo rm x",
        "/bin/rm x",
        "../bin/rm x",
        "env -i rm x",
        "env -u A B=1 rm x",
        "nice -n 5 rm x",
        "nice -5 rm x",
        "timeout -k 1 5s rm x",
        "sudo -u root -- rm x",
        "xargs -0 rm",
        "bash -c 'rm x'",
        "sh -ec \"rm x\"",
        "/bin/bash -lc 'cd /; rm x'",
        "bash -c 'sh -c \"rm x\"'",
        "sudo bash -c 'rm x'",
    ] {
        assert!(command(Action::Deny, "rm *", trick), "{trick}");
    }
    for other in [
        "echo rm",
        "echo /bin/rm",
        "bash rm",
        "sh -c 'echo rm'",
        "nice echo rm",
    ] {
        assert!(!command(Action::Deny, "rm *", other), "{other}");
    }
    assert!(
        command(Action::Deny, "/opt/*/rm *", "/opt/x/rm y"),
        "as it is written"
    );
}

#[test]
fn places_are_judged_by_the_path_as_written() {
    let decide_place = |action, place, paths: &[&str]| {
        let rule = Rule {
            path: Some(place),
            ..rule(action)
        };
        let subject = Subject {
            paths: paths.iter().map(|p| (*p).to_owned()).collect(),
            ..Subject::default()
        };
        decide(&[rule], false, Path::new("/w/p"), &subject).is_some()
    };
    let inside = Place::InsideCwd;
    assert!(decide_place(
        Action::Allow,
        inside,
        &["a", "/w/p/b", "./c/../d"]
    ));
    assert!(!decide_place(Action::Allow, inside, &["a", "../x"]));
    assert!(!decide_place(Action::Allow, inside, &["/w/pp/a"]));
    assert!(
        !decide_place(Action::Allow, inside, &[]),
        "nothing is known of it"
    );
    assert!(decide_place(
        Action::Deny,
        Place::OutsideCwd,
        &["a", "/etc/passwd"]
    ));
    assert!(!decide_place(Action::Deny, Place::OutsideCwd, &["a"]));
    assert!(!decide_place(Action::Allow, inside, &["~/x"]));
}

#[test]
fn a_link_out_of_the_folder_leads_out_of_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let inside = folder.path().join("cwd");
    std::fs::create_dir(&inside).expect("a folder");
    #[cfg(unix)]
    std::os::unix::fs::symlink(folder.path(), inside.join("link")).expect("a link");
    assert!(is_beneath(&inside, "new/file"));
    assert!(!is_beneath(&inside, "../file"));
    #[cfg(unix)]
    for out in ["link/file", "link/new/file", "link/../file"] {
        assert!(!is_beneath(&inside, out), "{out}");
    }
}

#[test]
#[cfg(unix)]
fn a_link_to_what_is_not_there_leads_where_it_points() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().expect("a folder");
    let inside = folder.path().join("cwd");
    std::fs::create_dir(&inside).expect("a folder");
    for (name, target) in [
        ("out", "../new"),
        ("away", "/nowhere/at/all"),
        ("chain", "out"),
        ("loop", "loop"),
        ("in", "new/folder"),
    ] {
        symlink(target, inside.join(name)).expect("a link");
    }
    for out in [
        "out",
        "out/file",
        "away",
        "chain",
        "chain/file",
        "loop",
        "loop/file",
    ] {
        assert!(!is_beneath(&inside, out), "{out}");
    }
    assert!(is_beneath(&inside, "in"));
    assert!(is_beneath(&inside, "in/file"));
}

#[test]
fn a_change_of_files_that_nobody_names_is_denied_wherever_it_may_be() {
    let deny = Rule {
        path: Some(Place::OutsideCwd),
        ..rule(Action::Deny)
    };
    let subject = Subject {
        writes: true,
        ..Subject::default()
    };
    assert!(decide(&[deny], false, Path::new("/w"), &subject).is_some());
}

#[test]
fn the_first_rule_that_matches_decides_and_read_only_comes_before_all() {
    let tool = |name: &str, action| Rule {
        tool: Some(name.into()),
        ..rule(action)
    };
    let rules = [tool("Ba*", Action::Ask), tool("*", Action::Allow)];
    let subject = |tool: &str| Subject {
        tool: tool.into(),
        writes: true,
        ..Subject::default()
    };
    let decided = |read_only, tool| {
        let cwd = Path::new("/");
        decide(&rules, read_only, cwd, &subject(tool)).map(|v| v.action)
    };
    assert_eq!(decided(false, "Bash"), Some(Action::Ask));
    assert_eq!(decided(false, "Write"), Some(Action::Allow));
    assert_eq!(decided(true, "Write"), Some(Action::Deny));
}

#[test]
fn stars_stand_for_any_run() {
    for (pattern, text, matches) in [
        ("", "", true),
        ("*", "", true),
        ("a*c", "abbc", true),
        ("a*b*c", "axxbyyc", true),
        ("a*b", "ac", false),
        ("*ab", "aab", true),
    ] {
        assert_eq!(glob(pattern, text), matches, "{pattern} {text}");
    }
}
