'use strict';
// An accepted message and everything until its one end.

const { TurnFailedError, TurnInterruptedError } = require('./errors.js');
const { camel } = require('./names.js');
const { EventReader } = require('./reader.js');
const { readable } = require('./streams.js');

const nothing = () => {};

/** The result of a turn that ended so, or why there is none. */
function outcome(end) {
  const result = camel(end.result);
  if (end.end === 'failed') throw new TurnFailedError(camel(end.failure), result);
  if (end.end === 'interrupted') throw new TurnInterruptedError(result);
  return result;
}

/** The same of the event that ends it. */
function told(event) {
  if (event.type === 'turn_failed') throw new TurnFailedError(event.failure, event.result);
  if (event.type === 'turn_interrupted') throw new TurnInterruptedError(event.result);
  return event.result;
}

class Turn {
  #session;
  #core;
  #reader;
  #id = null;
  #accepted;
  #end = null;

  /** `accepted` says, now or later, what became of the message that the reader of number `handle` is to read. */
  constructor(session, core, handle, accepted) {
    this.#session = session;
    this.#core = core;
    // A reader that was told of a gap and not of the end has lost it; the library has it still.
    const onEnd = () => this.#keepEnd();
    this.#reader = new EventReader(core, handle, session, { onEnd });
    if (typeof accepted.then === 'function') {
      this.#accepted = accepted.then((sent) => this.#began(sent));
      // Whoever asks for anything of this turn is told.
      this.#accepted.catch(nothing);
    } else {
      this.#accepted = this.#began(accepted);
    }
  }

  #began(sent) {
    this.#id = sent.turn ?? sent.into;
    return sent;
  }

  /** The turn's number; `null` until it is known whether the message is accepted. */
  get id() {
    return this.#id;
  }

  get session() {
    return this.#session;
  }

  /** What became of the message. Rejected if it was refused later. */
  get accepted() {
    return Promise.resolve(this.#accepted);
  }

  next() {
    return this.#id === null ? this.#accepted.then(() => this.#reader.next()) : this.#reader.next();
  }

  return(value) {
    this.#keepEnd();
    // What is to be read comes with the acceptance, after the reader has gone.
    if (this.#id === null) this.#accepted.then(() => this.#core.forget(this.#reader.id), nothing);
    return this.#reader.return(value);
  }

  throw(error) {
    return this.return().then(() => Promise.reject(error));
  }

  [Symbol.asyncIterator]() {
    return this;
  }

  /** Waits for the end. Holds nothing back. */
  async result({ signal } = {}) {
    await unless(signal, this.accepted);
    if (this.#reader.last !== null) return told(this.#reader.last);
    this.#core.stay();
    try {
      return outcome(await unless(signal, this.#ending()));
    } finally {
      this.#core.rest();
    }
  }

  /** Asks the agent to end the turn. Says what became of that. */
  async interrupt({ signal, ...options } = {}) {
    await unless(signal, this.accepted);
    return this.#session.interrupt(this.#id, { signal, ...options });
  }

  /** Interrupts it when the signal says so, until it is over. */
  follow(signal) {
    const abort = () => void this.interrupt().catch(nothing);
    signal.addEventListener('abort', abort, { once: true });
    const over = () => signal.removeEventListener('abort', abort);
    this.accepted.then(() => this.#ending()).then(over, over);
  }

  /** The events as a web stream. */
  readable() {
    return readable(this);
  }

  /** How it ends, asked for once. */
  #ending() {
    if (this.#end === null) {
      this.#end = this.#askEnd();
      this.#end.catch(nothing);
    }
    return this.#end;
  }

  #askEnd() {
    const ask = () => this.#core.call((id) => this.#core.native.result(this.#reader.id, id), { quiet: true });
    // At once where it can be: the reader may be let go of next.
    return this.#id === null ? this.#accepted.then(ask) : ask();
  }

  /** The result is still to be had when the reader is gone. */
  #keepEnd() {
    if (this.#reader.last === null) this.#ending();
  }
}

/** A promise, unless the signal comes first. */
function unless(signal, promise) {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) return abort();
    signal.addEventListener('abort', abort, { once: true });
    const over = () => signal.removeEventListener('abort', abort);
    promise.then(resolve, reject).then(over, over);
  });
}

module.exports = { Turn, unless };
