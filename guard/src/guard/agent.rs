//! The forked child on its way to become the agent.

use super::start::Start;
use super::sys::{self, Fd, Pid};
use super::{os, tell_failure};
use crate::protocol::Step;

/// Becomes the agent, or writes why not to `report` and ends.
pub(crate) fn become_agent(start: &mut Start, guard: Pid, report: Fd) -> ! {
    // A session of its own: signals of a terminal do not reach it, and it has a group that can be signalled.
    sys::setsid();
    os::tie_to_parent();
    if sys::getppid() != guard {
        sys::_exit(127);
    }
    for (target, fd) in (0..).zip(start.stdio) {
        sys::dup2(fd, target);
    }
    // Cores hold what the agent knows, keys included.
    sys::forbid_core_dumps();
    os::lower_importance();
    os::reset_private_signals();
    sys::reset_signals();
    match sys::change_directory(start.directory()) {
        0 => {
            let errno = start.execute();
            tell_failure(report, Step::Execute, errno);
        }
        errno => tell_failure(report, Step::Directory, errno),
    }
    sys::_exit(127)
}
