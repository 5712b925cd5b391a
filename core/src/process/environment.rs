//! The environment of an agent: an allowlist of the host's, the provider's settings, the session's.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use crate::config::{Environment, SessionOptions};

/// What every agent gets of the host's environment: what programs need to find their way, their
/// language, their proxies and their certificates. Nothing that carries a secret.
const EVERY_AGENT: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "LC_*",
    "TZ",
    "TERM",
    "COLORTERM",
    "TMPDIR",
    "TEMP",
    "TMP",
    "XDG_*",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS",
    "SSH_AUTH_SOCK",
    // Windows programs do not start without these.
    "SystemRoot",
    "SystemDrive",
    "ComSpec",
    "PATHEXT",
    "USERPROFILE",
    "APPDATA",
    "LOCALAPPDATA",
    "ProgramFiles",
    "ProgramData",
];

/// The host's variables, at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Inherited(Vec<(OsString, OsString)>);

impl Inherited {
    /// Those of this process. They are passed on, not acted on.
    pub(crate) fn of_host() -> Self {
        Self(std::env::vars_os().collect())
    }

    #[cfg(test)]
    pub(crate) fn of(variables: &[(&str, &str)]) -> Self {
        let own = |(name, value): &(&str, &str)| (name.into(), value.into());
        Self(variables.iter().map(own).collect())
    }
}

/// Makes the environment. Later sources win: the host's, the provider's settings, the session's.
pub(crate) fn build(
    options: &SessionOptions,
    provider: &[&str],
    settings: &[(OsString, OsString)],
    host: Inherited,
) -> Vec<(OsString, OsString)> {
    allowed(&options.environment, provider, settings, host)
}

/// The same, of what a host says about an environment.
pub(crate) fn allowed(
    wanted: &Environment,
    provider: &[&str],
    settings: &[(OsString, OsString)],
    host: Inherited,
) -> Vec<(OsString, OsString)> {
    let taken = |name: &OsStr| {
        let named = wanted.inherit.iter().any(|pattern| matches(pattern, name));
        let built_in = || EVERY_AGENT.iter().chain(provider).any(|p| matches(p, name));
        named || (!wanted.clear && built_in())
    };
    let mut env: BTreeMap<OsString, OsString> =
        host.0.into_iter().filter(|(name, _)| taken(name)).collect();
    env.extend(settings.iter().cloned());
    let set = &wanted.set;
    env.extend(set.iter().map(|(name, value)| (name.into(), value.into())));
    env.into_iter().collect()
}

fn matches(pattern: &str, name: &OsStr) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.as_encoded_bytes().starts_with(start.as_bytes()),
        None => name == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host() -> Inherited {
        let vars = [
            ("PATH", "/bin"),
            ("LC_ALL", "C"),
            ("AGENT_KEY", "k"),
            ("DATABASE_PASSWORD", "secret"),
            ("LD_PRELOAD", "/evil.so"),
            ("NODE_OPTIONS", "--require evil"),
        ];
        Inherited(vars.map(|(n, v)| (n.into(), v.into())).to_vec())
    }

    fn names(environment: Environment) -> Vec<String> {
        let options = SessionOptions {
            environment,
            ..SessionOptions::default()
        };
        let settings = [("QUIET".into(), "1".into())];
        build(&options, &["AGENT_*"], &settings, host())
            .into_iter()
            .map(|(n, v)| format!("{}={}", n.display(), v.display()))
            .collect()
    }

    #[test]
    fn an_agent_gets_what_is_listed_and_nothing_else() {
        assert_eq!(
            names(Environment::default()),
            ["AGENT_KEY=k", "LC_ALL=C", "PATH=/bin", "QUIET=1"]
        );
    }

    #[test]
    fn a_session_takes_more_sets_its_own_and_may_clear_the_rest() {
        let environment = Environment {
            inherit: vec!["DATABASE_*".into()],
            set: [("PATH".to_owned(), "/mine".to_owned())].into(),
            clear: true,
        };
        assert_eq!(
            names(environment),
            ["DATABASE_PASSWORD=secret", "PATH=/mine", "QUIET=1"]
        );
    }
}
