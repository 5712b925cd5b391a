'use strict';
// An async iterator of events. It asks for a portion when it has none left and somebody waits, so that a host that does
// not read holds back the agent and not this process' memory.

/** The three ends of a turn. */
const ENDS = ['turn_completed', 'turn_failed', 'turn_interrupted'];
const OVER = Object.freeze({ value: undefined, done: true });

class EventReader {
  #core;
  #quiet;
  #onEnd;
  #portion = [];
  #at = 0;
  #waiters = [];
  #over = false;

  /** Over a native reader that has the number `id`. A quiet one does not keep the process. */
  constructor(core, id, session, { quiet = false, onEnd } = {}) {
    this.#core = core;
    this.#quiet = quiet;
    this.#onEnd = onEnd;
    this.id = id;
    this.session = session;
    /** The last end of a turn that came. */
    this.last = null;
    const { native } = core;
    core.bury(this, () => native.dropReader(id));
  }

  next() {
    if (this.#at < this.#portion.length) return Promise.resolve({ value: this.#take(), done: false });
    if (this.#over) return Promise.resolve(OVER);
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
      if (this.#waiters.length > 1) return;
      if (!this.#quiet) this.#core.stay();
      this.#core.want(this);
    });
  }

  return(value) {
    this.#close();
    return Promise.resolve({ value, done: true });
  }

  throw(error) {
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

  /** Ends with an error for whoever waits. */
  abort(error) {
    const waiters = this.#waiters;
    this.#close((waiter) => waiter.reject(error));
    return waiters.length > 0;
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
    this.#core.unbury(this);
    this.#core.forget(this.id);
    const waiters = this.#waiters;
    this.#waiters = [];
    if (waiters.length > 0 && !this.#quiet) this.#core.rest();
    for (const waiter of waiters) waiter.resolve(OVER);
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
    this.#core.unbury(this);
    part();
    if (waiters.length > 0 && !this.#quiet) this.#core.rest();
    waiters.forEach(settle);
  }
}

module.exports = { ENDS, EventReader };
