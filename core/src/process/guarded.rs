//! Starts an agent under a guard.

use std::io::{self, IoSlice, Read};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use remuda_guard::protocol::{
    DESCRIPTORS, HEADER_LEN, Header, MAX_STRINGS, REPLY_LEN, Reply, Step,
};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use tokio::runtime::Handle;

use super::control::{Control, Ending, Owner};
use super::guard_image::{GuardImage, Place};
use super::os;
use super::tree::{Containment, SpawnError, Tree, TreeRecord, TreeSpec, is_shortage};

/// How long a guard may take to start its agent. The working directory may be on a slow file system.
const PATIENCE: Duration = Duration::from_secs(10);

/// The ends of the agent's stdin, stdout and stderr on one side.
pub(super) type Streams = [UnixStream; DESCRIPTORS];

/// A started tree that no runtime drives yet.
pub(super) struct Started {
    pub(super) record: TreeRecord,
    pub(super) streams: Streams,
    pub(super) owner: Owner,
    pub(super) containment: Containment,
}

impl Started {
    /// Hands the streams to the runtime.
    pub(super) fn attach(self, handle: &Handle) -> Result<Tree, SpawnError> {
        let refused = |source| SpawnError::System {
            what: "a watch on a socket",
            source,
        };
        let _entered = handle.enter();
        let pid = self.record.agent.pid;
        let control = Control::new(self.record, self.owner).map_err(refused)?;
        let [stdin, stdout, stderr] = self.streams.map(|stream| {
            stream.set_nonblocking(true)?;
            tokio::net::UnixStream::from_std(stream)
        });
        Ok(Tree {
            pid,
            containment: self.containment,
            stdin: stdin.map_err(refused)?,
            stdout: stdout.map_err(refused)?,
            stderr: stderr.map_err(refused)?,
            control,
        })
    }
}

/// Makes the agent's streams: ours, its.
///
/// Sockets and not pipes: a pipe can be opened again through `/proc/<pid>/fd`, and a tool could then write lines that
/// look like the agent's. Their buffers stay as the system makes them: they cannot be raised above that without
/// privilege.
///
/// `merged`: what it writes to stderr comes out of stdout, in the order in which it is written, and its stderr is at
/// its end from the beginning.
pub(super) fn streams(merged: bool) -> Result<(Streams, Streams), SpawnError> {
    let refused = |source| SpawnError::System {
        what: "a socket",
        source,
    };
    let pair = || UnixStream::pair().map_err(refused);
    let (input, output, mut error) = (pair()?, pair()?, pair()?);
    if merged {
        error.1 = output.1.try_clone().map_err(refused)?;
    }
    Ok(([input.0, output.0, error.0], [input.1, output.1, error.1]))
}

/// Starts the agent under a guard that is executed from the first of these places where that works.
pub(super) fn spawn(
    spec: &TreeSpec,
    cookie: &str,
    places: &[Place],
) -> Result<Started, SpawnError> {
    let message = Message::new(spec)?;
    let (ours, its) = streams(spec.merged)?;
    let (control, guard) = start_guard(places)?;
    let result = converse(&control, &message, &its);
    drop(its);
    match result.and_then(|reply| judge(spec, reply)) {
        Ok(pid) => {
            let record = os::record(pid, cookie);
            let owner = Owner::Guard { control, guard };
            Ok(Started {
                record,
                streams: ours,
                owner,
                containment: Containment::Guard,
            })
        }
        Err(error) => {
            drop(control);
            // A guard without an agent ends as soon as its socket is closed.
            if !guard.try_wait() {
                Ending::new(guard, None).begin();
            }
            Err(error)
        }
    }
}

fn start_guard(places: &[Place]) -> Result<(UnixStream, os::ChildProcess), SpawnError> {
    let mut why = String::from("this library was built without one");
    for place in places {
        let image = match GuardImage::obtain(place) {
            Ok(image) => image,
            Err(error) => {
                why = format!("{place}: {error}");
                continue;
            }
        };
        let (control, its) = UnixStream::pair().map_err(|source| SpawnError::System {
            what: "a socket",
            source,
        })?;
        match execute(&image, its) {
            Ok(guard) => return Ok((control, guard)),
            Err(source) if is_shortage(&source) => {
                return Err(SpawnError::System {
                    what: "a process",
                    source,
                });
            }
            Err(error) => why = format!("{place}: {error}"),
        }
    }
    Err(SpawnError::GuardUnavailable { why })
}

/// Executes the guard. The standard library uses `posix_spawn` for this, as nothing here needs code in the child: the
/// host's memory is not copied, however large.
pub(super) fn execute(image: &GuardImage, control: UnixStream) -> io::Result<os::ChildProcess> {
    let mut tries = 0;
    let mut command = Command::new(image.path());
    command.arg0("remuda-guard").env_clear();
    command
        .stdin(Stdio::from(std::os::fd::OwnedFd::from(control)))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    loop {
        match command.spawn() {
            Ok(child) => return Ok(os::ChildProcess::new(child.id())),
            // Another thread forked while the image was being written, and its child has not called exec yet.
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy && tries < 50 => {
                tries += 1;
                std::thread::sleep(Duration::from_millis(1));
            }
            Err(error) => return Err(error),
        }
    }
}

/// Sends the start message and receives the first reply.
fn converse(control: &UnixStream, message: &Message, stdio: &Streams) -> Result<Reply, SpawnError> {
    let attempt = || -> io::Result<[u8; REPLY_LEN]> {
        control.set_read_timeout(Some(PATIENCE))?;
        control.set_write_timeout(Some(PATIENCE))?;
        let sent = message.send(control, stdio);
        let mut reply = [0; REPLY_LEN];
        let mut reader = control;
        // A guard that refuses the message says why; then the failure to send it is not interesting.
        reader
            .read_exact(&mut reply)
            .map_err(|error| sent.err().unwrap_or(error))?;
        Ok(reply)
    };
    match attempt() {
        Ok(reply) => Reply::decode(&reply).ok_or_else(|| SpawnError::GuardUnavailable {
            why: "it speaks another version".to_owned(),
        }),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            let source = io::Error::from(io::ErrorKind::TimedOut);
            Err(SpawnError::System {
                what: "to start the agent in time",
                source,
            })
        }
        Err(error) => Err(SpawnError::GuardUnavailable {
            why: format!("it ended at once ({error})"),
        }),
    }
}

/// The agent's pid, or why there is none.
fn judge(spec: &TreeSpec, reply: Reply) -> Result<u32, SpawnError> {
    match reply {
        Reply::Started { pid } => Ok(pid),
        Reply::Failed { step, errno } => {
            let source = io::Error::from_raw_os_error(errno);
            Err(match step {
                Step::Directory => SpawnError::Directory {
                    cwd: spec.cwd.clone(),
                    source,
                },
                Step::Execute => SpawnError::from_exec(spec.program.clone(), source),
                Step::Fork => SpawnError::System {
                    what: "a process",
                    source,
                },
                Step::Prepare | Step::Message => SpawnError::GuardUnavailable {
                    why: format!("it could not begin ({source})"),
                },
            })
        }
        Reply::Exited(_) | Reply::Left(_) | Reply::Gone => Err(SpawnError::GuardUnavailable {
            why: "its first reply was not about the start".to_owned(),
        }),
    }
}

/// The start message, whole.
pub(super) struct Message {
    pub(super) header: [u8; HEADER_LEN],
    pub(super) strings: Vec<u8>,
}

impl Message {
    pub(super) fn new(spec: &TreeSpec) -> Result<Self, SpawnError> {
        let mut strings = Vec::with_capacity(4096);
        let program = spec.program.as_os_str();
        for string in [program, spec.cwd.as_os_str(), program]
            .into_iter()
            .chain(spec.args.iter().map(AsRef::as_ref))
        {
            strings.extend_from_slice(string.as_bytes());
            strings.push(0);
        }
        for (name, value) in &spec.env {
            strings.extend_from_slice(name.as_bytes());
            strings.push(b'=');
            strings.extend_from_slice(value.as_bytes());
            strings.push(0);
        }
        // Each string brings one zero byte; any more are inside of one.
        let count = 3 + spec.args.len() + spec.env.len();
        if memchr::memchr_iter(0, &strings).count() != count {
            let source = io::Error::new(io::ErrorKind::InvalidInput, "zero byte inside a string");
            return Err(SpawnError::System {
                what: "arguments and environment",
                source,
            });
        }
        let number = |value: usize| {
            u32::try_from(value)
                .ok()
                .filter(|value| *value <= MAX_STRINGS)
        };
        let numbers = (
            number(1 + spec.args.len()),
            number(spec.env.len()),
            number(strings.len()),
        );
        let (Some(arguments), Some(variables), Some(size)) = numbers else {
            let source = io::Error::from(io::ErrorKind::ArgumentListTooLong);
            return Err(SpawnError::System {
                what: "arguments and environment",
                source,
            });
        };
        let header = Header {
            host: std::process::id(),
            arguments,
            variables,
            strings: size,
        };
        Ok(Self {
            header: header.encode(),
            strings,
        })
    }

    pub(super) fn send(&self, control: &UnixStream, stdio: &Streams) -> io::Result<()> {
        let descriptors = [stdio[0].as_fd(), stdio[1].as_fd(), stdio[2].as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        ancillary.push(SendAncillaryMessage::ScmRights(&descriptors));
        let header = [IoSlice::new(&self.header)];
        // A header this small is taken as a whole by a fresh socket.
        rustix::net::sendmsg(control, &header, &mut ancillary, SendFlags::NOSIGNAL)?;
        let mut rest = self.strings.as_slice();
        while !rest.is_empty() {
            match rustix::net::send(control, rest, SendFlags::NOSIGNAL) {
                Ok(len) => rest = &rest[len..],
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}
