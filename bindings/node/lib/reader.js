'use strict';
// An async iterator of events. It asks for a portion when it has none left and somebody waits, so that a host that does
// not read holds back the agent and not this process' memory.

/** The three ends of a turn. */
const ENDS = ['turn_completed', 'turn_failed', 'turn_interrupted'];
const OVER = Object.freeze({ value: undefined, done: true });

/** Ends the reader when the signal says so, and does not keep it. Gives what calls that off. */
function heed(signal, reader) {
  const weak = new WeakRef(reader);
  const abort = () => weak.deref()?.abort(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  return () => signal.removeEventListener('abort', abort);
}

class EventReader {
  #core;
  #quiet;
  #onEnd;
  /** Kept, so that it is not closed while somebody reads. */
  #owner;
  #unheed;
  /** The error that it ended with, until somebody is told. */
  #failure = null;
  #portion = [];
  #at = 0;
  #waiters = [];
  #over = false;

  /**
   * Over a native reader that has the number `id`, of something of the session `owner`, or of none. A quiet one does not
   * keep the process.
   */
  constructor(core, id, owner, { quiet = false, onEnd, signal } = {}) {
    this.#core = core;
    this.#quiet = quiet;
    this.#onEnd = onEnd;
    this.#owner = owner;
    const unheed = signal && heed(signal, this);
    this.#unheed = unheed;
    this.id = id;
    this.session = owner?.id ?? 0;
    /** The last end of a turn that came. */
    this.last = null;
    const { native } = core;
    core.bury(this, () => {
      unheed?.();
      native.dropReader(id);
    });
  }

  next() {
    if (this.#at < this.#portion.length) return Promise.resolve({ value: this.#take(), done: false });
    if (this.#failure !== null) return Promise.reject(this.#told());
    if (this.#over) return Promise.resolve(OVER);
    return new Promise((resolve, reject) => {
      if (this.#waiters.length === 0) {
        // Throws where there is nothing to wait for.
        this.#core.want(this);
        if (!this.#quiet) this.#core.stay();
      }
      this.#waiters.push({ resolve, reject });
    });
  }

  return(value) {
    this.#failure = null;
    this.#close();
    return Promise.resolve({ value, done: true });
  }

  throw(error) {
    this.#failure = null;
    this.#close();
    return Promise.reject(error);
  }

  [Symbol.asyncIterator]() {
    return this;
  }

  /** Ends, and leaves the native reader as it is. */
  release() {
    this.#close((waiter) => waiter.resolve(OVER), () => this.#core.part(this.id));
  }

  /** Ends with an error for whoever waits, or else asks next. */
  abort(error) {
    if (this.#over) return;
    if (this.#waiters.length === 0) this.#failure = { error };
    this.#close((waiter) => waiter.reject(error));
  }

  /** One event of a portion. */
  push(event) {
    const waiter = this.#waiters.shift();
    if (waiter === undefined) {
      this.#portion.push(event);
      return;
    }
    this.#served();
    waiter.resolve({ value: event, done: false });
  }

  /** The same of one that is more than a piece of text. */
  pushWhole(event) {
    if (ENDS.includes(event.type)) this.last = event;
    this.push(event);
  }

  /** Nothing follows. */
  end() {
    this.#over = true;
    this.#onEnd?.();
    this.#unheed?.();
    this.#core.unbury(this);
    this.#core.forget(this.id);
    const waiters = this.#waiters;
    this.#waiters = [];
    if (waiters.length > 0 && !this.#quiet) this.#core.rest();
    for (const waiter of waiters) waiter.resolve(OVER);
  }

  #told() {
    const { error } = this.#failure;
    this.#failure = null;
    return error;
  }

  #take() {
    const event = this.#portion[this.#at++];
    if (this.#at === this.#portion.length) {
      this.#portion = [];
      this.#at = 0;
    }
    return event;
  }

  /** A waiter got its event. The others wait on. */
  #served() {
    if (this.#waiters.length === 0) {
      if (!this.#quiet) this.#core.rest();
      return;
    }
    // There may be no more in this portion.
    queueMicrotask(() => {
      if (this.#waiters.length > 0 && !this.#over) this.#core.want(this);
    });
  }

  #close(settle = (waiter) => waiter.resolve(OVER), part = () => this.#core.forget(this.id)) {
    if (this.#over) return;
    const waiters = this.#waiters;
    this.#waiters = [];
    this.#portion = [];
    this.#at = 0;
    this.#over = true;
    this.#unheed?.();
    this.#core.unbury(this);
    part();
    if (waiters.length > 0 && !this.#quiet) this.#core.rest();
    waiters.forEach(settle);
  }
}

module.exports = { EventReader };
