//! How much can be given to a program when it is started.

use std::ffi::{OsStr, OsString};

/// The longest argument or variable, its end included.
#[cfg(target_os = "linux")]
const MAX_STRING: usize = 128 << 10;
#[cfg(not(target_os = "linux"))]
const MAX_STRING: usize = usize::MAX;

/// Kept free of the whole: the name of the program, an interpreter's, and what the system adds.
const RESERVED: usize = 16 << 10;

/// What is too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TooMuch {
    /// An argument of so many bytes.
    Argument(usize),
    /// A variable of so many bytes.
    Variable(usize),
    /// All of them together, with so many bytes; the most is the second number.
    All(usize, usize),
}

/// Whether the system takes these.
pub(crate) fn check(args: &[OsString], env: &[(OsString, OsString)]) -> Result<(), TooMuch> {
    check_against(args, env, limit())
}

fn check_against(
    args: &[OsString],
    env: &[(OsString, OsString)],
    most: usize,
) -> Result<(), TooMuch> {
    // Each has an end and a pointer.
    const EACH: usize = 1 + size_of::<usize>();
    let size = |text: &OsStr| text.as_encoded_bytes().len();
    let mut all = 0;
    for arg in args {
        let size = size(arg);
        if size >= MAX_STRING {
            return Err(TooMuch::Argument(size));
        }
        all += size + EACH;
    }
    for (name, value) in env {
        let size = size(name) + 1 + size(value);
        if size >= MAX_STRING {
            return Err(TooMuch::Variable(size));
        }
        all += size + EACH;
    }
    if all > most {
        return Err(TooMuch::All(all, most));
    }
    Ok(())
}

/// The most that arguments and variables may have together. A quarter of the stack, says Linux, and
/// never more than six MiB.
#[cfg(target_os = "linux")]
fn limit() -> usize {
    let stack = rustix::process::getrlimit(rustix::process::Resource::Stack).current;
    let quarter = stack.map_or(usize::MAX, |stack| {
        usize::try_from(stack / 4).unwrap_or(usize::MAX)
    });
    quarter.clamp(128 << 10, 6 << 20) - RESERVED
}

/// What macOS takes, and Windows less.
#[cfg(not(target_os = "linux"))]
fn limit() -> usize {
    (1 << 20) - RESERVED
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(count: usize, size: usize) -> Vec<OsString> {
        vec!["x".repeat(size).into(); count]
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn one_string_may_be_too_long_by_itself() {
        assert_eq!(check(&words(1, MAX_STRING - 1), &[]), Ok(()));
        assert_eq!(
            check(&words(1, MAX_STRING), &[]),
            Err(TooMuch::Argument(MAX_STRING))
        );
        let env = [("NAME".into(), "x".repeat(MAX_STRING).into())];
        assert_eq!(check(&[], &env), Err(TooMuch::Variable(MAX_STRING + 5)));
    }

    #[test]
    fn all_together_may_be_too_much() {
        let env = [("NAME".into(), "four".into())];
        let size = 10 * 13 + 18;
        assert_eq!(check_against(&words(10, 4), &env, size), Ok(()));
        let less = size - 1;
        assert_eq!(
            check_against(&words(10, 4), &env, less),
            Err(TooMuch::All(size, less))
        );
    }

    /// The rule is the system's own: what passes is executed.
    #[cfg(target_os = "linux")]
    #[test]
    fn the_system_takes_what_passes() -> std::io::Result<()> {
        let words = words(limit() / 10_009, 10_000);
        assert_eq!(check(&words, &[]), Ok(()));
        let status = std::process::Command::new("/bin/true")
            .args(&words)
            .env_clear()
            .status()?;
        assert!(status.success());
        Ok(())
    }
}
