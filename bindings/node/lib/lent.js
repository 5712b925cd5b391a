'use strict';
// A process that the pool lends, in the shape of a child process: streams, and events of its end.

const { EventEmitter } = require('node:events');
const os = require('node:os');
const { Readable, Writable } = require('node:stream');
const { StringDecoder } = require('node:string_decoder');

const { attempt } = require('./errors.js');
const { CORE } = require('./keys.js');
const { snake } = require('./names.js');
const { EventReader } = require('./reader.js');

/** The name of a signal. */
function named(number) {
  const found = Object.entries(os.constants.signals).find(([, value]) => value === number);
  return found ? found[0] : null;
}

/** A process that was borrowed: whole lines, in and out. */
class Lent {
  #core;
  #id;
  #reader;
  /** How it ended. */
  over = null;

  /** Borrows a kept process of one of these names, or starts one. */
  constructor(pool, names, options) {
    this.#core = pool[CORE];
    this.#id = this.#core.number();
    const { native } = this.#core;
    this.kept = attempt(() => native.lend(this.#id, names, JSON.stringify(snake(options))));
    const onEnd = () => {
      this.over = JSON.parse(native.lentOver(this.#id));
    };
    this.#reader = new EventReader(this.#core, this.#id, null, { onEnd });
  }

  get pid() {
    return this.#core.native.lentPid(this.#id) ?? undefined;
  }

  /** The next line, or `null` when it is gone. */
  async line() {
    const { value, done } = await this.#reader.next();
    return done ? null : value;
  }

  write(text) {
    attempt(() => this.#core.native.lentWrite(this.#id, text));
  }

  end() {
    attempt(() => this.#core.native.lentEnd(this.#id));
  }

  kill() {
    attempt(() => this.#core.native.lentKill(this.#id));
  }

  /** Gives it back to the pool under a name. */
  keep(name) {
    this.#reader.release();
    attempt(() => this.#core.native.lentKeep(this.#id, name));
  }
}

/**
 * The shape of a child process. `lend` gives the process when the first line is written; `said` and `wrote` see every line
 * and may answer it (`wrote` gives a line in its place) or end the child early.
 */
class Child extends EventEmitter {
  #lend;
  #lent = null;
  #decoder = new StringDecoder('utf8');
  #rest = '';
  #reading = false;
  killed = false;
  exitCode = null;
  signalCode = null;
  stdin;
  stdout;
  stderr = null;

  constructor(lend, watch) {
    super();
    this.#lend = lend;
    this.watch = watch;
    this.stdout = new Readable({ read: () => void this.#read() });
    this.stdin = new Writable({
      decodeStrings: true,
      write: (chunk, _, done) => this.#tried(() => this.#write(this.#decoder.write(chunk)), done),
      final: (done) => this.#tried(() => this.watch.ended(this), done),
    });
  }

  get pid() {
    return this.#lent?.pid;
  }

  get lent() {
    return this.#lent;
  }

  kill(signal = 'SIGTERM') {
    if (this.#isOver()) return false;
    this.killed = true;
    if (this.#lent === null) this.exit(null, signal);
    else this.#quietly(() => this.#lent.kill());
    return true;
  }

  /** A line for the reader, as if the process had said it. */
  say(line) {
    this.stdout.push(`${line}\n`);
  }

  /** Ends the input of the process. */
  endInput() {
    if (this.#lent === null) this.exit(0, null);
    else this.#quietly(() => this.#lent.end());
  }

  /** It has ended, for whoever looks. */
  exit(code, signal) {
    if (this.#isOver()) return;
    [this.exitCode, this.signalCode] = [code, signal];
    this.stdout.push(null);
    setImmediate(() => {
      this.emit('exit', code, signal);
      this.emit('close', code, signal);
    });
  }

  /** Leaves the process to the pool; for whoever looks it has ended well. */
  leave(name) {
    const lent = this.#lent;
    this.exit(0, null);
    this.#quietly(() => lent.keep(name));
  }

  #isOver() {
    return this.exitCode !== null || this.signalCode !== null;
  }

  #write(text) {
    // No process is borrowed for a child that has ended.
    if (this.#lent === null && this.#isOver()) return;
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop();
    for (const line of lines) {
      if (line === '') continue;
      if (this.#lent === null && !this.#borrow(line)) return;
      const passed = this.watch.wrote(this, line);
      if (passed !== null) this.#lent.write(`${passed}\n`);
    }
    void this.#read();
  }

  /** Whether there is a process now. Without one the child has failed, as one whose program cannot be started. */
  #borrow(line) {
    try {
      this.#lent = this.#lend(line);
    } catch (error) {
      this.#fail(error);
      this.exit(1, null);
    }
    return this.#lent !== null;
  }

  /** Reads while the reader of the stream has room. */
  async #read() {
    if (this.#reading || this.#lent === null) return;
    this.#reading = true;
    try {
      for (;;) {
        const line = await this.#lent.line();
        if (this.exitCode !== null) return;
        if (line === null) return this.#over();
        const more = this.stdout.push(`${line}\n`);
        this.watch.said(this, line);
        if (this.exitCode !== null || !more) return;
      }
    } catch (error) {
      this.#fail(error);
      this.exit(1, null);
    } finally {
      this.#reading = false;
    }
  }

  #over() {
    const { code, signal, error, stderr } = this.#lent.over ?? {};
    if (error) this.#fail(new Error(stderr ? `${error}\n${stderr}` : error));
    const name = signal == null ? null : named(signal);
    this.exit(name === null ? (code ?? 1) : null, name);
  }

  #fail(error) {
    if (this.listenerCount('error') > 0) this.emit('error', error);
  }

  #tried(what, done) {
    try {
      what();
      done();
    } catch (error) {
      done(error);
    }
  }

  /** What is over needs no more. */
  #quietly(what) {
    try {
      what();
    } catch {
      // It ended meanwhile, and its reader is told.
    }
  }
}

module.exports = { Child, Lent };
