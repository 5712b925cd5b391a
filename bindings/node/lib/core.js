'use strict';
// The native pool, and the one place where something comes from it: portions, when it has said that something waits.
//
// Settles promises and fills readers; decides nothing.

const { setImmediate, setInterval } = require('node:timers');

const { native } = require('./native.js');
const { RemudaError, attempt } = require('./errors.js');
const { kinds } = require('./generated.js');
const { camel, snake } = require('./names.js');

/** The layout of a portion; see `src/batch.rs`. */
const HEAD = 3;
const ROW = 6;
const ROWS = 1024;
const IN_JSON = 0;
const END = -1;
const FAILURE = -3;
const LINE = -4;
/** For so long portions are taken before others get their turn. */
const BUDGET_MS = 4;

/** Pools for which somebody waits. They stay, and so does the process. */
const busy = new Set();
/** Keeps the process while it is needed. Nothing else: it would run in 24 days. */
const keeper = setInterval(() => {}, 2 ** 31 - 1).unref();
/** Tells pools that a reader or a session has nobody any more. */
const orphans = new FinalizationRegistry((drop) => drop());

class Core {
  #native;
  #numbers = new Float64Array(HEAD + ROWS * ROW);
  #calls = new Map();
  #readers = new Map();
  #last = 0;
  #coming = false;
  #waiting = 0;

  constructor(options) {
    // Only weakly: the native half lives as long as this, and no longer.
    const self = new WeakRef(this);
    const wake = () => self.deref()?.drain();
    this.#native = attempt(() => new native.NativePool(JSON.stringify(snake(options)), wake));
  }

  get native() {
    return this.#native;
  }

  /** A new number for a reader, a call or a hold. */
  number() {
    this.#last = this.#last === 0xffff_ffff ? 1 : this.#last + 1;
    return this.#last;
  }

  /** Somebody waits: the process stays until `rest` was called as often. */
  stay() {
    this.#waiting += 1;
    if (this.#waiting > 1) return;
    if (busy.size === 0) keeper.ref();
    busy.add(this);
  }

  rest() {
    this.#waiting -= 1;
    if (this.#waiting > 0) return;
    busy.delete(this);
    if (busy.size === 0) keeper.unref();
  }

  /**
   * Makes a call whose answer comes later. `begin` gets its number. With a signal, whoever waits may stop waiting;
   * what was called goes on. A quiet call does not keep the process.
   */
  call(begin, { signal, quiet = false } = {}) {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const id = this.number();
      attempt(() => begin(id));
      if (!quiet) this.stay();
      const abort = () => {
        if (!this.#calls.delete(id)) return;
        this.#native.dropCall(id);
        if (!quiet) this.rest();
        reject(signal.reason);
      };
      const settle = (settled, value) => {
        signal?.removeEventListener('abort', abort);
        if (!quiet) this.rest();
        settled(value);
      };
      this.#calls.set(id, { settle, resolve, reject });
      signal?.addEventListener('abort', abort, { once: true });
    });
  }

  /** A reader waits for its next portion. */
  want(reader) {
    const there = attempt(() => this.#native.want(reader.id));
    this.#readers.set(reader.id, reader);
    if (there) this.#come();
  }

  /** Lets a reader go. */
  forget(id) {
    this.#readers.delete(id);
    this.#native.dropReader(id);
  }

  /** A reader waits no more, and its native part stays. */
  part(id) {
    this.#readers.delete(id);
  }

  /** When nobody has this object any more, its native part goes too. */
  bury(object, drop) {
    orphans.register(object, drop, object);
  }

  unbury(object) {
    orphans.unregister(object);
  }

  /** Takes what waits, portion by portion, and for the rest comes again when others had their turn. */
  drain() {
    this.#coming = false;
    const start = performance.now();
    for (;;) {
      const text = this.#native.take(this.#numbers);
      if (text === null) return;
      this.#spread(text);
      if (this.#numbers[2] === 0) return;
      if (performance.now() - start > BUDGET_MS) return this.#come();
    }
  }

  #come() {
    if (this.#coming) return;
    this.#coming = true;
    setImmediate(() => this.drain());
  }

  #spread(text) {
    const numbers = this.#numbers;
    const parsed = numbers[1] === 0 ? null : JSON.parse(this.#native.takeJson());
    let [at, item, id, reader] = [0, 0, 0, undefined];
    for (let row = HEAD, end = HEAD + numbers[0] * ROW; row < end; row += ROW) {
      const kind = numbers[row + 1];
      if (kind < END && kind !== LINE) {
        this.#settle(numbers[row], kind, parsed[item++]);
        continue;
      }
      if (numbers[row] !== id) {
        this.#readers.delete(id);
        id = numbers[row];
        reader = this.#readers.get(id);
      }
      if (kind === END) {
        reader?.end();
      } else if (kind === IN_JSON) {
        // Also where nobody has the reader any more: what follows has its own.
        const body = parsed[item++];
        reader?.pushWhole(spoken(reader.session, numbers, row, body));
      } else {
        const piece = text.slice(at, (at += numbers[row + 5]));
        reader?.push(kind === LINE ? piece : written(reader.session, numbers, row, kind, piece));
      }
    }
    this.#readers.delete(id);
  }

  #settle(id, kind, value) {
    const call = this.#calls.get(id);
    if (call === undefined) return;
    this.#calls.delete(id);
    if (kind === FAILURE) {
      call.settle(call.reject, new RemudaError(value.kind, value.message));
    } else {
      call.settle(call.resolve, value);
    }
  }
}

/** An event that its text says in full. */
function written(session, numbers, row, kind, text) {
  return {
    type: kinds[kind],
    session,
    seq: numbers[row + 2],
    turn: numbers[row + 3] || null,
    timeUnixMs: numbers[row + 4],
    text,
  };
}

/** An event that came as JSON. */
function spoken(session, numbers, row, body) {
  return {
    type: body.type,
    session,
    seq: numbers[row + 2],
    turn: numbers[row + 3] || null,
    timeUnixMs: numbers[row + 4],
    ...camel(body),
  };
}

module.exports = { Core };
