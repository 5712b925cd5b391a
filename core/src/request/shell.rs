//! Which programs a command line runs, as far as that can be seen without being a shell.
//!
//! Two readings of one line, with their faults on opposite sides: [`is_simple`] takes for more than one
//! program whatever could be, [`programs`] finds those that stand there plainly and misses the rest.

/// What makes one word of several, and is no part of it.
const QUOTES: [char; 3] = ['\'', '"', '\\'];

/// What separates the parts of a command line.
const SEPARATORS: [char; 12] = [';', '&', '|', '\n', '\r', '(', ')', '`', '{', '}', '<', '>'];

/// What a shell puts something else in the place of, or takes as an assignment or a comment.
const EXPANDED: &str = "$#~*?[]!=";

/// Words before a command that do not change which one it is.
const PREFIXES: [&str; 11] = [
    "!", "if", "then", "else", "elif", "do", "while", "until", "exec", "command", "builtin",
];

/// Programs that run the one that follows, with their flags that take a word, and how many words stand
/// before it.
const RUNNERS: [(&str, &str, usize); 16] = [
    ("env", "uCS", 0),
    ("nohup", "", 0),
    ("nice", "n", 0),
    ("ionice", "cnpPu", 0),
    ("sudo", "ughpCcrtTRDU", 0),
    ("doas", "uC", 0),
    ("time", "fo", 0),
    ("timeout", "ks", 1),
    ("stdbuf", "ioe", 0),
    ("setsid", "", 0),
    ("xargs", "IELnPsda", 0),
    ("chrt", "TPD", 1),
    ("taskset", "", 1),
    ("flock", "wE", 1),
    ("strace", "eopPsu", 0),
    ("busybox", "", 0),
];

/// Programs that run a text.
const SHELLS: [&str; 7] = ["sh", "bash", "dash", "zsh", "ksh", "ash", "fish"];

/// Whether a command is one program with its arguments, as any shell would see it: nothing in it is
/// quoted, expanded, redirected or commented out.
pub(super) fn is_simple(command: &str) -> bool {
    command.chars().all(|c| {
        let special = QUOTES.contains(&c) || SEPARATORS.contains(&c) || EXPANDED.contains(c);
        let odd_space = (c.is_whitespace() || c.is_control()) && c != ' ' && c != '\t';
        !special && !odd_space
    })
}

/// The programs that stand in a command line, each as its words, quotes left out: as written, without
/// its folder, and without what only runs it.
pub(super) fn programs(command: &str) -> Vec<Vec<String>> {
    let plain: String = command.chars().filter(|c| !QUOTES.contains(c)).collect();
    let mut found = Vec::new();
    for part in plain.split(SEPARATORS) {
        let mut words: &[&str] = &part.split_whitespace().collect::<Vec<_>>();
        loop {
            found.push(owned(words));
            if let Some((program, arguments)) = words.split_first()
                && program.contains('/')
            {
                found.push(owned(&[&[base(program)], arguments].concat()));
            }
            match inner(words) {
                Some(next) => words = next,
                None => break,
            }
        }
    }
    found
}

/// The words of the program that these words only run. `None`: they are that program.
fn inner<'a, 'b>(words: &'a [&'b str]) -> Option<&'a [&'b str]> {
    let (first, rest) = words.split_first()?;
    if PREFIXES.contains(first) || first.contains('=') {
        return Some(rest);
    }
    let first = base(first);
    if SHELLS.contains(&first) {
        return text_of(rest);
    }
    let (_, valued, before) = RUNNERS.iter().find(|(name, ..)| *name == first)?;
    let rest = rest.get(flags(rest, valued)..)?;
    rest.get(*before..)
}

/// How many words are flags, their values among them. `valued` are the letters whose value is the next
/// word; of long ones it is not known.
fn flags(words: &[&str], valued: &str) -> usize {
    let mut count = 0;
    while let Some(word) = words.get(count) {
        let Some(flag) = word.strip_prefix('-') else {
            break;
        };
        count += 1;
        if flag == "-" {
            break;
        }
        if flag.len() == 1 && valued.contains(flag) {
            count += 1;
        }
    }
    count
}

/// What a shell runs as a text: the words after `-c`. Its quotes are gone already.
fn text_of<'a, 'b>(words: &'a [&'b str]) -> Option<&'a [&'b str]> {
    let is_text =
        |word: &&str| word.starts_with('-') && !word.starts_with("--") && word.ends_with('c');
    let place = words
        .iter()
        .take_while(|w| w.starts_with('-'))
        .position(is_text)?;
    words.get(place + 1..)
}

/// A program without its folder.
fn base(program: &str) -> &str {
    program.rsplit('/').next().unwrap_or(program)
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}
