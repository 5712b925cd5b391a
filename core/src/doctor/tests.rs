//! The doctor, on machines made of folders and shell scripts.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use tempfile::{TempDir, tempdir};

use super::examine::report;
use super::{AgentReport, Doctor, Login, doctor};
use crate::config::Mode;
use crate::process::Containment;
use crate::process::environment::Inherited;
use crate::process::test_host::alone;

/// Longer than any program that ends takes.
const LONG: Duration = Duration::from_mins(1);

/// A machine: what is installed, and somebody's home.
struct Machine {
    programs: TempDir,
    home: TempDir,
    variables: Vec<(&'static str, String)>,
}

impl Machine {
    fn new() -> Self {
        Self {
            programs: tempdir().unwrap(),
            home: tempdir().unwrap(),
            variables: Vec::new(),
        }
    }

    fn with(self, name: &str, text: &str) -> Self {
        let file = self.programs.path().join(name);
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        self
    }

    fn script(self, name: &str, commands: &str) -> Self {
        self.with(
            name,
            &format!("#!/bin/sh\nPATH=/usr/bin:/bin\n{commands}\n"),
        )
    }

    fn at_home(self, path: &str, text: &str) -> Self {
        let file = self.home.path().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, text).unwrap();
        self
    }

    fn variable(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    fn place(&self, program: &str) -> String {
        shown(&self.programs.path().join(program))
    }

    fn report(&self, timeout: Duration) -> Doctor {
        let (path, home) = (shown(self.programs.path()), shown(self.home.path()));
        let mut variables = vec![("PATH", path.as_str()), ("HOME", home.as_str())];
        variables.extend(self.variables.iter().map(|(n, v)| (*n, v.as_str())));
        report(&Inherited::of(&variables), timeout)
    }

    fn agent(&self, provider: &str, timeout: Duration) -> AgentReport {
        let report = self.report(timeout);
        let mut agents = report.agents.into_iter();
        agents.find(|agent| agent.provider == provider).unwrap()
    }

    fn login(&self, provider: &str) -> (Login, Option<String>) {
        let agent = self.agent(provider, Duration::ZERO);
        (agent.login, agent.login_source)
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[test]
fn each_agent_has_one_line_with_its_file_version_and_mode() {
    alone(|_| {
        let machine = Machine::new()
            .script("claude", "echo '2.1.327 (Claude Code)'")
            .script("paseo", "echo paseo v1.4.0; sleep 1000 &");
        let report = machine.report(LONG);
        assert_eq!(report.containment, Containment::Guard);
        assert_eq!(report.containment_problem, None);
        let names: Vec<_> = report.agents.iter().map(|a| a.provider.as_str()).collect();
        assert_eq!(
            names,
            [
                "claude",
                "codex",
                "gemini",
                "opencode",
                "kimi",
                "claude-acp",
                "codex-acp",
                "paseo"
            ]
        );
        let claude = AgentReport {
            provider: "claude".to_owned(),
            program: Some(machine.place("claude")),
            version: Some("2.1.327".to_owned()),
            mode: Mode::Warm,
            login: Login::LoggedOut,
            login_source: None,
            problem: None,
        };
        assert_eq!(report.agents[0], claude);
        let codex = &report.agents[1];
        assert_eq!((&codex.program, &codex.version), (&None, &None));
        let problem = codex.problem.as_deref().unwrap();
        assert!(problem.starts_with("codex was not found; looked in "));
        let paseo = &report.agents[7];
        assert_eq!(paseo.mode, Mode::OneShot);
        assert_eq!(paseo.version.as_deref(), Some("1.4.0"));
    });
}

#[test]
fn a_broken_program_has_a_line_about_it_and_spoils_nothing_else() {
    alone(|_| {
        let machine = Machine::new()
            .script("claude", "echo no such option >&2; exit 3")
            .script("codex", "kill -9 $$")
            .with("gemini", "#!/nowhere/interpreter\n")
            .script("kimi", "echo Usage: kimi")
            .script("opencode", "yes '1.18.33 and more' | head -c 9000000");
        fs::write(machine.programs.path().join("codex-acp"), "not executable").unwrap();
        let report = machine.report(LONG);
        let told = |provider: &str| {
            let mut agents = report.agents.iter();
            let agent = agents.find(|agent| agent.provider == provider).unwrap();
            agent.problem.clone().unwrap_or_default()
        };
        assert!(told("claude").ends_with("--version: it ended with code 3: no such option"));
        assert!(told("codex").ends_with("--version: it ended by signal 9"));
        assert!(told("gemini").contains("no program or interpreter"));
        assert!(told("kimi").ends_with("no version in \"Usage: kimi\""));
        assert!(told("codex-acp").ends_with("is no file that this user may execute"));
        assert_eq!(told("opencode"), "");
        assert_eq!(report.agents[3].version.as_deref(), Some("1.18.33"));
    });
}

#[test]
fn a_hanging_program_costs_the_timeout_and_is_ended_with_all_that_it_started() {
    alone(|_| {
        let deaf = "trap '' TERM INT HUP; setsid sleep 1000 & (setsid sleep 1000 &)";
        let machine = Machine::new()
            .script("claude", &format!("{deaf}; sleep 1000"))
            .script("codex", &format!("{deaf}; exec yes"));
        let report = machine.report(Duration::from_millis(300));
        for agent in &report.agents[..2] {
            let problem = agent.problem.as_deref().unwrap();
            assert!(
                problem.ends_with("--version: no end within 0.3 s"),
                "{problem}"
            );
        }
    });
}

#[test]
fn without_a_timeout_no_program_is_started() {
    alone(|_| {
        let machine = Machine::new();
        let mark = machine.home.path().join("started");
        let machine = machine.script("claude", &format!("echo > {}", mark.display()));
        let claude = machine.agent("claude", Duration::ZERO);
        assert_eq!(claude.program, Some(machine.place("claude")));
        assert_eq!((claude.version, claude.problem), (None, None));
        assert!(!mark.exists());
    });
}

#[test]
fn programs_get_what_a_session_would_give_them() {
    alone(|_| {
        let machine = Machine::new()
            .script("claude", "echo 1.$DISABLE_AUTOUPDATER.$OTHER; pwd >&2")
            .variable("OTHER", "7");
        let claude = machine.agent("claude", LONG);
        assert_eq!(claude.version.as_deref(), Some("1.1."));
    });
}

#[test]
fn it_may_be_called_inside_of_an_executor() {
    alone(|runtime| {
        let report = runtime.block_on(async { doctor(Duration::ZERO) });
        assert_eq!(report.containment, Containment::Guard);
        assert!(report.agents.iter().all(|agent| agent.version.is_none()));
    });
}

#[test]
fn a_login_is_seen_in_a_variable_or_a_file_and_never_its_value() {
    alone(|_| {
        let machine = Machine::new();
        assert_eq!(machine.login("claude"), (Login::LoggedOut, None));
        assert_eq!(machine.login("codex"), (Login::LoggedOut, None));
        assert_eq!(machine.login("gemini"), (Login::LoggedOut, None));
        assert_eq!(machine.login("opencode"), (Login::Unknown, None));

        let machine = machine
            .at_home(".claude/.credentials.json", "")
            .at_home(".codex/auth.json", "{\"secret\":1}")
            .variable("GEMINI_API_KEY", "secret")
            .variable("ANTHROPIC_API_KEY", "");
        assert_eq!(machine.login("claude"), (Login::LoggedOut, None));
        let file = shown(&machine.home.path().join(".codex/auth.json"));
        assert_eq!(
            machine.login("codex"),
            (Login::LoggedIn, Some(file.clone()))
        );
        assert_eq!(machine.login("codex-acp"), (Login::LoggedIn, Some(file)));
        let variable = Some("GEMINI_API_KEY".to_owned());
        assert_eq!(machine.login("gemini"), (Login::LoggedIn, variable));
        let told = serde_json::to_string(&machine.report(Duration::ZERO)).unwrap();
        assert!(!told.contains("secret"), "{told}");
    });
}

#[test]
fn a_login_that_may_come_from_elsewhere_is_not_known() {
    alone(|_| {
        let machine = Machine::new()
            .at_home(".codex/config.toml", "model_provider = \"mine\"")
            .variable("CLAUDE_CODE_USE_BEDROCK", "1");
        let file = shown(&machine.home.path().join(".codex/config.toml"));
        assert_eq!(machine.login("codex"), (Login::Unknown, Some(file)));
        let variable = Some("CLAUDE_CODE_USE_BEDROCK".to_owned());
        assert_eq!(machine.login("claude"), (Login::Unknown, variable));
    });
}

#[test]
fn an_agents_own_folder_is_where_its_variable_says() {
    alone(|_| {
        let machine = Machine::new().at_home("mine/auth.json", "{}");
        let folder = machine.home.path().join("mine");
        let machine = machine.variable("CODEX_HOME", shown(&folder));
        let file = Some(shown(&folder.join("auth.json")));
        assert_eq!(machine.login("codex"), (Login::LoggedIn, file));
    });
}

#[test]
fn the_names_of_its_json_are_stable() {
    let report = Doctor {
        version: "1.2.3".to_owned(),
        containment: Containment::ProcessGroup,
        containment_problem: Some("no guard".to_owned()),
        agents: vec![AgentReport {
            provider: "codex".to_owned(),
            program: Some("/bin/codex".to_owned()),
            version: Some("0.169.0".to_owned()),
            mode: Mode::OneShot,
            login: Login::LoggedIn,
            login_source: Some("CODEX_API_KEY".to_owned()),
            problem: None,
        }],
    };
    let expected = json!({
        "version": "1.2.3",
        "containment": "process_group",
        "containment_problem": "no guard",
        "agents": [{
            "provider": "codex",
            "program": "/bin/codex",
            "version": "0.169.0",
            "mode": "one_shot",
            "login": "logged_in",
            "login_source": "CODEX_API_KEY",
            "problem": null,
        }],
    });
    assert_eq!(serde_json::to_value(&report).unwrap(), expected);
    assert_eq!(serde_json::from_value::<Doctor>(expected).unwrap(), report);
}
