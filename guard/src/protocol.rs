//! What host and guard say to each other over the control socket.
//!
//! The host sends one start message ([`Header`], three descriptors, then the strings) and after that only [`Command`]s.
//! The guard sends only [`Reply`]s. Everything but the strings has a fixed size, so that the guard parses nothing.
//! The end of the stream from the host means that the host is gone.

/// The version of this protocol. It is in the header and in every reply.
pub const VERSION: u8 = 1;
/// The first bytes of a start message.
pub const MAGIC: [u8; 4] = *b"rmda";
/// The size of a [`Header`].
pub const HEADER_LEN: usize = 24;
/// The size of a [`Command`].
pub const COMMAND_LEN: usize = 8;
/// The size of a [`Reply`].
pub const REPLY_LEN: usize = 64;
/// The largest total size of the strings. Linux itself takes at most 6 MiB.
pub const MAX_STRINGS: u32 = 16 << 20;
/// How many descriptors come with the header: the agent's stdin, stdout and stderr.
pub const DESCRIPTORS: usize = 3;
/// How many process ids fit into one [`Reply::Left`].
pub const MAX_LEFT: usize = 12;

/// The fixed part of the start message.
///
/// After it come the strings, each ended by a zero byte: program, working directory, arguments (the first is the
/// program's name), variables (`NAME=value`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Process id of the host. A guard that has another parent ends at once.
    pub host: u32,
    /// Number of arguments, the program's name included.
    pub arguments: u32,
    /// Number of environment variables.
    pub variables: u32,
    /// Total size of the strings in bytes.
    pub strings: u32,
}

impl Header {
    /// The header as bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4] = VERSION;
        put(&mut bytes, 8, self.host);
        put(&mut bytes, 12, self.arguments);
        put(&mut bytes, 16, self.variables);
        put(&mut bytes, 20, self.strings);
        bytes
    }

    /// The header in these bytes; none if they are of another protocol, of another version or out of bounds.
    #[must_use]
    pub fn decode(bytes: &[u8; HEADER_LEN]) -> Option<Self> {
        let header = Self {
            host: get(bytes, 8),
            arguments: get(bytes, 12),
            variables: get(bytes, 16),
            strings: get(bytes, 20),
        };
        let known = bytes[..4] == MAGIC && bytes[4] == VERSION && bytes[5..8] == [0; 3];
        // Each string has at least its zero byte, so the counts are bounded by the size.
        let strings = u64::from(header.arguments) + u64::from(header.variables) + 2;
        let bounded = header.strings <= MAX_STRINGS
            && strings <= u64::from(header.strings)
            && header.arguments > 0;
        (known && bounded).then_some(header)
    }
}

/// What the host asks of a guard whose agent runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Send this signal to the agent.
    Signal(u8),
    /// Kill the agent and everything that it started.
    Kill,
}

impl Command {
    /// The command as bytes.
    #[must_use]
    pub fn encode(self) -> [u8; COMMAND_LEN] {
        let (kind, signal) = match self {
            Self::Signal(signal) => (1, signal),
            Self::Kill => (2, 0),
        };
        [kind, signal, 0, 0, 0, 0, 0, 0]
    }

    /// The command in these bytes, or none if there is no such command.
    #[must_use]
    pub fn decode(bytes: [u8; COMMAND_LEN]) -> Option<Self> {
        match bytes {
            [1, signal, 0, 0, 0, 0, 0, 0] => Some(Self::Signal(signal)),
            [2, 0, 0, 0, 0, 0, 0, 0] => Some(Self::Kill),
            _ => None,
        }
    }
}

/// What the guard was doing when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Step {
    /// Reading the start message.
    Message = 1,
    /// Making itself the owner of all descendants.
    Prepare = 2,
    /// Forking the agent.
    Fork = 3,
    /// Entering the working directory.
    Directory = 4,
    /// Executing the program.
    Execute = 5,
}

impl Step {
    /// The step with this number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        [
            Self::Message,
            Self::Prepare,
            Self::Fork,
            Self::Directory,
            Self::Execute,
        ]
        .into_iter()
        .find(|step| *step as u8 == number)
    }
}

/// How the agent itself ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ending {
    /// Its exit code, if it exited.
    pub code: Option<i32>,
    /// The signal that killed it, if one did.
    pub signal: Option<i32>,
    /// It was killed from outside while the out-of-memory counter of its cgroup went up.
    pub out_of_memory: bool,
    /// The largest resident memory of the agent or of one child that it waited for, in bytes.
    pub max_rss: u64,
    /// CPU time of the agent and of the children that it waited for, in microseconds.
    pub cpu: u64,
}

/// What the guard reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The agent runs: its exec succeeded.
    Started {
        /// Process id of the agent.
        pid: u32,
    },
    /// There is no agent. The guard ends after this.
    Failed {
        /// What the guard was doing.
        step: Step,
        /// The error number of the system, 0 if there is none.
        errno: i32,
    },
    /// The agent itself ended. What it left behind is being killed.
    Exited(Ending),
    /// These did not die for a second after SIGKILL. Zero marks an unused place.
    Left([u32; MAX_LEFT]),
    /// No descendant of the agent is left. The guard ends after this.
    Gone,
}

impl Reply {
    /// The reply as bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; REPLY_LEN] {
        let mut bytes = [0; REPLY_LEN];
        bytes[0] = VERSION;
        match self {
            Self::Started { pid } => {
                bytes[1] = 1;
                put(&mut bytes, 8, *pid);
            }
            Self::Failed { step, errno } => {
                bytes[1] = 2;
                bytes[2] = *step as u8;
                put(&mut bytes, 8, errno.cast_unsigned());
            }
            Self::Exited(ending) => {
                bytes[1] = 3;
                bytes[2] = u8::from(ending.code.is_some());
                bytes[3] = u8::from(ending.signal.is_some());
                bytes[4] = u8::from(ending.out_of_memory);
                put(&mut bytes, 8, ending.code.unwrap_or(0).cast_unsigned());
                put(&mut bytes, 12, ending.signal.unwrap_or(0).cast_unsigned());
                bytes[16..24].copy_from_slice(&ending.max_rss.to_le_bytes());
                bytes[24..32].copy_from_slice(&ending.cpu.to_le_bytes());
            }
            Self::Left(pids) => {
                bytes[1] = 4;
                for (index, pid) in pids.iter().enumerate() {
                    put(&mut bytes, 8 + 4 * index, *pid);
                }
            }
            Self::Gone => bytes[1] = 5,
        }
        bytes
    }

    /// The reply in these bytes, or none if they are not of this version.
    #[must_use]
    pub fn decode(bytes: &[u8; REPLY_LEN]) -> Option<Self> {
        if bytes[0] != VERSION {
            return None;
        }
        let number = |at| get(bytes, at).cast_signed();
        match bytes[1] {
            1 => Some(Self::Started { pid: get(bytes, 8) }),
            2 => Some(Self::Failed {
                step: Step::from_number(bytes[2])?,
                errno: number(8),
            }),
            3 => Some(Self::Exited(Ending {
                code: (bytes[2] != 0).then(|| number(8)),
                signal: (bytes[3] != 0).then(|| number(12)),
                out_of_memory: bytes[4] != 0,
                max_rss: get_long(bytes, 16),
                cpu: get_long(bytes, 24),
            })),
            4 => {
                let mut pids = [0; MAX_LEFT];
                for (index, pid) in pids.iter_mut().enumerate() {
                    *pid = get(bytes, 8 + 4 * index);
                }
                Some(Self::Left(pids))
            }
            5 => Some(Self::Gone),
            _ => None,
        }
    }
}

fn put(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

fn get(bytes: &[u8], at: usize) -> u32 {
    let mut value = [0; 4];
    value.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(value)
}

fn get_long(bytes: &[u8], at: usize) -> u64 {
    u64::from(get(bytes, at)) | u64::from(get(bytes, at + 4)) << 32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reply_survives_the_wire() {
        let ending = Ending {
            code: None,
            signal: Some(9),
            out_of_memory: true,
            max_rss: 1 << 40,
            cpu: u64::MAX,
        };
        let mut pids = [0; MAX_LEFT];
        pids[11] = u32::MAX;
        for reply in [
            Reply::Started { pid: 7 },
            Reply::Failed {
                step: Step::Directory,
                errno: 2,
            },
            Reply::Exited(ending),
            Reply::Exited(Ending {
                code: Some(255),
                ..Ending::default()
            }),
            Reply::Left(pids),
            Reply::Gone,
        ] {
            assert_eq!(Reply::decode(&reply.encode()), Some(reply));
        }
    }

    #[test]
    fn a_reply_of_another_version_is_not_understood() {
        let mut bytes = Reply::Gone.encode();
        bytes[0] += 1;
        assert_eq!(Reply::decode(&bytes), None);
    }

    #[test]
    fn every_command_survives_the_wire_and_others_are_refused() {
        for command in [Command::Signal(15), Command::Kill] {
            assert_eq!(Command::decode(command.encode()), Some(command));
        }
        assert_eq!(Command::decode([4, 0, 0, 0, 0, 0, 0, 0]), None);
        assert_eq!(Command::decode([1, 9, 0, 0, 0, 0, 0, 1]), None);
    }

    #[test]
    fn a_header_out_of_bounds_is_refused() {
        let good = Header {
            host: 1,
            arguments: 1,
            variables: 0,
            strings: 3,
        };
        assert_eq!(Header::decode(&good.encode()), Some(good));
        for bad in [
            Header {
                strings: MAX_STRINGS + 1,
                ..good
            },
            Header { strings: 2, ..good },
            Header {
                arguments: 0,
                ..good
            },
            Header {
                arguments: u32::MAX,
                variables: u32::MAX,
                ..good
            },
        ] {
            assert_eq!(Header::decode(&bad.encode()), None, "{bad:?}");
        }
    }
}
