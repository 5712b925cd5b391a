'use strict';
// A bounded herd of warm agent processes, and the sessions that use them.

const { Attendant } = require('./attendant.js');
const { Core } = require('./core.js');
const { examine } = require('./doctor.js');
const { CORE } = require('./keys.js');
const { attempt, invalid } = require('./errors.js');
const { camel, snake } = require('./names.js');
const { Session } = require('./session.js');
const { tool } = require('./tool.js');

/** How long a shutdown may take that does not say it. */
const DEADLINE_MS = 10_000;
/** How long an agent may take to say its version. */
const DOCTOR_MS = 5_000;

/** The options that say something: the others have their defaults. */
const said = (options) => Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));

class Pool {
  #core;
  #kept = false;

  constructor(options = {}) {
    this.#core = new Core(options);
  }

  /** Opens a session. Starts no process: the first turn does. */
  async open(provider, options = {}) {
    const given = typeof provider === 'string' ? { provider, ...options } : provider;
    if (given === null || typeof given !== 'object') throw invalid('provider: it is no name');
    const { signal, onRequest, onHandlerError, tools = [], ...rest } = given;
    const own = tools.map((of) => (Object.isFrozen(of) && 'inputSchema' in of ? of : tool(of)));
    const asks = onRequest !== undefined || own.length > 0;
    const plain = {
      cwd: '.',
      ...(asks ? { requests: 'host' } : {}),
      ...said(rest),
      tools: own.map(({ name, description, inputSchema }) => ({ name, description, inputSchema })),
    };
    const text = JSON.stringify(snake(plain));
    const { native } = this.#core;
    const opened = await this.#core.call((id) => native.open(id, text), { signal });
    const session = new Session(this.#core, opened.session);
    if (asks) new Attendant(session, { onRequest, onHandlerError, tools: own });
    return session;
  }

  /** What is installed on this machine, and how well it works. */
  async doctor({ timeoutMs = DOCTOR_MS, signal } = {}) {
    return camel(await examine(this, timeoutMs, signal));
  }

  /** For what else is made of a pool in this package. */
  get [CORE]() {
    return this.#core;
  }

  /** The pool's numbers at this moment. */
  stats() {
    return camel(JSON.parse(attempt(() => this.#core.native.stats())));
  }

  /** The options that are in force. */
  get options() {
    return camel(JSON.parse(attempt(() => this.#core.native.options())));
  }

  /** Keeps the process alive, also while nobody waits for anything. */
  ref() {
    if (!this.#kept) this.#core.stay();
    this.#kept = true;
    return this;
  }

  /** The process ends when nobody waits for anything. So it is from the beginning. */
  unref() {
    if (this.#kept) this.#core.rest();
    this.#kept = false;
    return this;
  }

  /** Closes every session and ends every process, gently as long as there is time, then not. Says what is left. */
  async shutdown({ deadlineMs = DEADLINE_MS, signal } = {}) {
    const { native } = this.#core;
    const report = await this.#core.call((id) => native.shutdown(id, deadlineMs), { signal });
    this.unref();
    return camel(report);
  }

  async [Symbol.asyncDispose ?? Symbol.for('nodejs.asyncDispose')]() {
    await this.shutdown();
  }
}

module.exports = { Pool };
