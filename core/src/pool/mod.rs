//! The pool: who may run a process, and when.

pub(crate) mod slots;
