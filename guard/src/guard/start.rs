//! The start message: what to run and with which descriptors.

use core::ffi::{CStr, c_char};

use super::sys::{self, Fd, Memory};
use crate::protocol::{DESCRIPTORS, HEADER_LEN, Header};

/// How long the host may take to send the whole message.
const PATIENCE: i64 = 10_000;

/// What to run. The memory holds secrets, so it is dropped as soon as the agent has been forked.
pub(crate) struct Start {
    pub(crate) stdio: [Fd; DESCRIPTORS],
    program: *const c_char,
    directory: *const c_char,
    arguments: usize,
    table: Memory,
    _strings: Memory,
}

impl Start {
    /// Receives the message of this host. An error number if it does not come, is not valid or is for another guard.
    pub(crate) fn receive(control: Fd, host: u32) -> Result<Self, i32> {
        let deadline = sys::now() + PATIENCE;
        let mut stdio = [-1; DESCRIPTORS];
        let mut header = [0; HEADER_LEN];
        fill(control, &mut header, &mut stdio, deadline)?;
        let header = Header::decode(&header)
            .filter(|header| header.host == host)
            .ok_or(sys::EINVAL)?;
        let mut strings = Memory::new(header.strings as usize)?;
        fill(control, strings.bytes(), &mut stdio, deadline)?;
        // Absent, or in a place that belongs to the guard.
        if stdio.iter().any(|fd| *fd <= 2) {
            return Err(sys::EINVAL);
        }
        Self::index(header, stdio, strings)
    }

    /// Finds the strings and lays out the tables that exec wants: arguments, null, variables, null.
    fn index(header: Header, stdio: [Fd; DESCRIPTORS], mut strings: Memory) -> Result<Self, i32> {
        let (arguments, variables) = (header.arguments as usize, header.variables as usize);
        let mut table = Memory::new((arguments + variables + 2) * size_of::<*const c_char>())?;
        let mut rest: &[u8] = strings.bytes();
        let mut next = || {
            let string = CStr::from_bytes_until_nul(rest).map_err(|_| sys::EINVAL)?;
            rest = &rest[string.count_bytes() + 1..];
            Ok::<_, i32>(string.as_ptr())
        };
        let (program, directory) = (next()?, next()?);
        let entries = table.table();
        for place in &mut entries[..arguments] {
            *place = next()?;
        }
        for place in &mut entries[arguments + 1..=arguments + variables] {
            *place = next()?;
        }
        if !rest.is_empty() {
            return Err(sys::EINVAL);
        }
        Ok(Self {
            stdio,
            program,
            directory,
            arguments,
            table,
            _strings: strings,
        })
    }

    pub(crate) fn directory(&self) -> &CStr {
        // SAFETY: points to an ended string in memory that self keeps.
        unsafe { CStr::from_ptr(self.directory) }
    }

    /// Replaces this process by the program. Returns the error number if that failed.
    pub(crate) fn execute(&mut self) -> i32 {
        let program = self.program;
        let (arguments, variables) = self.table.table().split_at(self.arguments + 1);
        // SAFETY: a string and two tables ended by null (fresh memory is zero), all in memory that self keeps.
        unsafe { sys::execute(program, arguments.as_ptr(), variables.as_ptr()) }
    }
}

/// Receives exactly this many bytes, and the descriptors that come with them.
fn fill(
    control: Fd,
    mut room: &mut [u8],
    stdio: &mut [Fd; DESCRIPTORS],
    deadline: i64,
) -> Result<(), i32> {
    while !room.is_empty() {
        match sys::receive_descriptors(control, room) {
            Ok((0, _)) => return Err(0),
            Ok((len, received)) => {
                room = &mut room[len..];
                take(received, stdio);
            }
            Err(sys::EAGAIN | sys::EINTR) => {
                let left = deadline - sys::now();
                if left <= 0 {
                    return Err(sys::ETIME);
                }
                let mut entry = [sys::PollFd {
                    fd: control,
                    events: sys::POLLIN,
                    revents: 0,
                }];
                sys::poll(&mut entry, i32::try_from(left).unwrap_or(i32::MAX));
            }
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Keeps the first three descriptors and closes what is too much.
fn take(received: [Fd; DESCRIPTORS], stdio: &mut [Fd; DESCRIPTORS]) {
    for fd in received {
        if fd < 0 {
            continue;
        }
        match stdio.iter_mut().find(|place| **place < 0) {
            Some(place) => *place = fd,
            None => {
                sys::close(fd);
            }
        }
    }
}
