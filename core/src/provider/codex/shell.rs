//! The command inside a shell's command line.

/// The command as the model wrote it: the agent shows `/bin/bash -lc 'git log'` for `git log`.
/// What is no such call, or not well formed, stays as it is.
pub(super) fn inner_command(shown: &str) -> String {
    let words = words(shown).unwrap_or_default();
    let [shell, flag, command] = words.as_slice() else {
        return shown.to_owned();
    };
    // A shell of another folder may be no shell at all.
    let name = ["/bin/", "/usr/bin/", "/usr/local/bin/"]
        .iter()
        .find_map(|folder| shell.strip_prefix(folder))
        .unwrap_or(shell);
    let is_shell = matches!(name, "bash" | "sh" | "zsh" | "dash" | "ksh");
    if is_shell && matches!(flag.as_str(), "-c" | "-lc") {
        command.clone()
    } else {
        shown.to_owned()
    }
}

/// The words of a command line, without their quotes. `None`: a quote is open at the end.
fn words(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        '\'' => break,
                        c => word.push(c),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        '"' => break,
                        '\\' => match chars.next()? {
                            c @ ('"' | '\\' | '$' | '`') => word.push(c),
                            '\n' => {}
                            c => word.extend(['\\', c]),
                        },
                        c => word.push(c),
                    }
                }
            }
            '\\' => word.get_or_insert_default().push(chars.next()?),
            c if c.is_whitespace() => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::inner_command;

    #[test]
    fn a_shell_around_a_command_is_taken_off_and_nothing_else_is() {
        for (shown, command) in [
            (
                "/bin/bash -lc 'touch /srv/x && echo ok'",
                "touch /srv/x && echo ok",
            ),
            ("bash -lc ls", "ls"),
            (
                "/usr/bin/zsh -lc \"echo 'a' \\\"b\\\" \\n\"",
                "echo 'a' \"b\" \\n",
            ),
            ("/bin/sh -c 'it'\\''s'", "it's"),
            ("bash -lc 'rm x' y", "bash -lc 'rm x' y"),
            ("bash -lc 'rm x", "bash -lc 'rm x"),
            ("git log", "git log"),
            ("python -c 'rm'", "python -c 'rm'"),
            ("", ""),
        ] {
            assert_eq!(inner_command(shown), command, "{shown}");
        }
    }
}
