'use strict';
// One conversation with an agent. It outlives the agent's processes.

const { attempt, invalid } = require('./errors.js');
const { camel, snake } = require('./names.js');
const { EventReader } = require('./reader.js');
const { Turn, unless } = require('./turn.js');
const streams = require('./streams.js');

/** A message as the library reads it. */
function message(of) {
  if (typeof of === 'string') return { text: of };
  if (of === null || typeof of !== 'object') throw invalid('message: it is neither a text nor an object');
  const { attachments = [], ...rest } = of;
  const attached = attachments.map((attachment) => {
    const { bytes } = attachment;
    if (!ArrayBuffer.isView(bytes)) return attachment;
    const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return { ...attachment, bytes: view.toString('base64') };
  });
  return { text: '', ...rest, attachments: attached };
}

const json = (value) => JSON.stringify(snake(value));

/** Keeps a session's process from eviction until it is released. */
class Hold {
  #release;

  constructor(release) {
    this.#release = release;
  }

  release() {
    this.#release();
  }

  [Symbol.dispose ?? Symbol.for('nodejs.dispose')]() {
    this.#release();
  }
}

class Session {
  #core;

  constructor(core, id) {
    this.#core = core;
    this.id = id;
    const { native } = core;
    core.bury(this, () => native.dropSession(id));
  }

  /** Sends a message, and is a stream of what follows. */
  send(of, { signal, ...options } = {}) {
    signal?.throwIfAborted();
    const { native } = this.#core;
    const reader = this.#core.number();
    const [text, how] = [json(message(of)), json(options)];
    const sent = attempt(() => native.send(this.id, reader, text, how));
    const accepted =
      sent === null
        ? this.#core.call((id) => native.sendLater(this.id, reader, id, text, how))
        : JSON.parse(sent);
    const turn = new Turn(this, this.#core, reader, accepted);
    if (signal) turn.follow(signal);
    return turn;
  }

  /** Sends a message and waits for the result. */
  async ask(of, { signal, ...options } = {}) {
    return unless(signal, this.send(of, { signal, ...options }).result());
  }

  /** The events from `from` on (1 is the first), then live. `types`: only these. */
  events({ from = 1, types, signal, quiet } = {}) {
    signal?.throwIfAborted();
    const id = this.#core.number();
    attempt(() => this.#core.native.events(this.id, id, from, types));
    return new EventReader(this.#core, id, this, { quiet, signal });
  }

  /** The events as an emitter. */
  emitter(options) {
    return streams.emitter(this.events(options));
  }

  /** The events as a web stream. */
  readable(options) {
    return streams.readable(this.events(options));
  }

  /** Ends the turn that runs or waits. Says what became of that. */
  interrupt(turn, { signal, ...options } = {}) {
    const { native } = this.#core;
    return this.#core.call((id) => native.interrupt(this.id, turn, id, json(options)), { signal });
  }

  /** Answers a question of the agent, once. */
  async answer(request, answer, { signal } = {}) {
    const { native } = this.#core;
    const begin = (id) => native.answer(this.id, request, id, json(answer));
    await this.#core.call(begin, { signal });
  }

  /** Changes settings. Says when they hold. */
  change(change, { signal } = {}) {
    const { native } = this.#core;
    return this.#core.call((id) => native.change(this.id, id, json(change)), { signal });
  }

  /** Does something with the conversation beside talking. Gives what the agent says. */
  operate(operation, { signal } = {}) {
    const { native } = this.#core;
    const of = typeof operation === 'string' ? { operation } : operation;
    return this.#core.call((id) => native.operate(this.id, id, json(of)), { signal });
  }

  /** Puts another message in the place of a waiting one. */
  async edit(turn, of, { signal } = {}) {
    const { native } = this.#core;
    const text = json(message(of));
    await this.#core.call((id) => native.edit(this.id, turn, id, text), { signal });
  }

  /** Takes a waiting message out of the queue. Its turn ends as interrupted. */
  cancel(turn) {
    attempt(() => this.#core.native.cancel(this.id, turn));
  }

  /** Keeps the session's process from eviction. */
  hold() {
    const { native } = this.#core;
    const id = this.#core.number();
    attempt(() => native.hold(this.id, id));
    const hold = new Hold(() => native.unhold(id));
    this.#core.bury(hold, () => native.unhold(id));
    return hold;
  }

  /** What the session is at this moment. */
  snapshot() {
    return camel(JSON.parse(attempt(() => this.#core.native.snapshot(this.id))));
  }

  /** The options that it was opened with. */
  get options() {
    return camel(JSON.parse(attempt(() => this.#core.native.sessionOptions(this.id))));
  }

  /** Closes the session. Gives the processes that are left, by pid: none, where everything ended. */
  close({ signal } = {}) {
    return this.#core.call((id) => this.#core.native.close(this.id, id), { signal });
  }

  async [Symbol.asyncDispose ?? Symbol.for('nodejs.asyncDispose')]() {
    await this.close();
  }
}

module.exports = { Session, Hold };
