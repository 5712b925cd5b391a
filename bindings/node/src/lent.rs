//! Processes that the pool lends: their lines, in and out, for those who speak to an agent themselves.

use napi_derive::napi;
use remuda::config::read_json;
use remuda::{Error, ErrorKind, LendOptions, Lent, LentInput};
use serde::Serialize;

use crate::failure::{Refused, gone, json, refused};
use crate::pool::NativePool;
use crate::reader::{Origin, Reader};

/// How a process ended, as JSON.
#[derive(Default, Serialize)]
struct Ended {
    code: Option<i32>,
    signal: Option<i32>,
    stderr: String,
    error: Option<String>,
    left: Vec<u32>,
}

impl NativePool {
    fn lent<T>(&self, reader: u32, what: impl FnOnce(&Lent) -> Option<T>) -> Result<T, Refused> {
        let held = self.held.borrow();
        let lent = held.readers.get(&reader).and_then(Reader::lent);
        lent.and_then(what).ok_or_else(|| gone("process"))
    }

    fn input(&self, reader: u32) -> Result<LentInput, Refused> {
        self.lent(reader, Lent::input)
    }
}

#[napi]
impl NativePool {
    /// Borrows a process: a kept one of one of these names, or else a new one. `reader` reads its lines. Whether it is a kept one.
    #[napi(catch_unwind)]
    pub fn lend(&self, reader: u32, names: Vec<String>, options: String) -> Result<bool, Refused> {
        let kept = names.iter().find_map(|name| self.pool.take(name));
        let is_kept = kept.is_some();
        let lent = if let Some(lent) = kept {
            lent
        } else {
            let options: Result<LendOptions, Error> = read_json("options", &options);
            let lent = options.and_then(|options| self.pool.lend(options));
            lent.map_err(|error| refused(&error))?
        };
        self.keep(reader, Origin::Lent(lent));
        Ok(is_kept)
    }

    /// Writes text to it.
    #[napi(catch_unwind)]
    pub fn lent_write(&self, reader: u32, text: String) -> Result<(), Refused> {
        let written = self.input(reader)?.write(text);
        written.map_err(|error| refused(&error))
    }

    /// Ends its input.
    #[napi(catch_unwind)]
    pub fn lent_end(&self, reader: u32) -> Result<(), Refused> {
        let ended = self.input(reader)?.end();
        ended.map_err(|error| refused(&error))
    }

    /// Kills it with all that it started.
    #[napi(catch_unwind)]
    pub fn lent_kill(&self, reader: u32) -> Result<(), Refused> {
        let killed = self.input(reader)?.kill();
        killed.map_err(|error| refused(&error))
    }

    /// Its number at the operating system, once it runs.
    #[napi(catch_unwind)]
    pub fn lent_pid(&self, reader: u32) -> Option<u32> {
        self.lent(reader, Lent::pid).ok()
    }

    /// How it ended, as JSON, after its last line.
    #[napi(catch_unwind)]
    pub fn lent_over(&self, reader: u32) -> Result<String, Refused> {
        let end = self.lent(reader, Lent::end).unwrap_or_default();
        let ended = Ended {
            code: end.exit.and_then(|exit| exit.code),
            signal: end.exit.and_then(|exit| exit.signal),
            stderr: end.stderr,
            error: end.error.map(|error| error.to_string()),
            left: end.left,
        };
        json(&ended).map_err(|error| refused(&error))
    }

    /// Gives it back to the pool, to be borrowed by this name.
    #[napi(catch_unwind)]
    pub fn lent_keep(&self, reader: u32, name: String) -> Result<(), Refused> {
        let reader = self.held.borrow_mut().readers.remove(&reader);
        let lent = reader.and_then(Reader::into_lent);
        let over = || Error::new(ErrorKind::Closed, "the process is closed");
        let kept = lent.ok_or_else(over).and_then(|lent| lent.keep(name));
        kept.map_err(|error| refused(&error))
    }
}
