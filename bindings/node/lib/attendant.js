'use strict';
// Who answers an agent's questions while a session is open: the host's function, and its tools.

const { answered } = require('./tool.js');

/** Attended sessions that are not closed: they stay, whatever else the host keeps of them. */
const attended = new Set();
/** Refusals of an answer that comes too late. */
const LATE = ['already_answered', 'stale', 'closed'];
const TYPES = ['request_opened', 'request_resolved'];
const UNDECIDED = { answer: 'deny', message: 'the host could not decide' };
const nothing = () => {};

class Attendant {
  #session;
  #onRequest;
  #tools;
  #report;
  /** Questions that somebody is at, and how to call that off. */
  #open = new Map();

  constructor(session, { onRequest, tools, onHandlerError }) {
    this.#session = session;
    this.#onRequest = onRequest;
    this.#tools = new Map(tools.map((tool) => [tool.name, tool]));
    this.#report = (error, request) => {
      try {
        onHandlerError?.(error, request);
      } catch {
        // There is nobody left to tell.
      }
    };
    attended.add(this);
    const over = () => attended.delete(this);
    this.#attend(session.events({ types: TYPES, quiet: true })).then(over, over);
  }

  async #attend(events) {
    for await (const event of events) {
      if (event.type === 'request_resolved') {
        this.#open.get(event.request)?.abort();
        this.#open.delete(event.request);
      } else if (event.type === 'request_opened' && event.deadlineUnixMs != null) {
        this.#take(event);
      }
    }
    for (const open of this.#open.values()) open.abort();
  }

  #take(request) {
    const open = new AbortController();
    this.#open.set(request.request, open);
    const context = { session: this.#session, request, signal: open.signal };
    this.#decide(request, context)
      .then((answer) => this.#answer(request, answer))
      .catch(nothing);
  }

  /** Gives the answer. One that the question does not take means no, like a handler that throws. */
  async #answer(request, answer) {
    const { request: id, kind } = request;
    try {
      await this.#session.answer(id, answer);
    } catch (error) {
      if (LATE.includes(error?.kind)) return;
      this.#report(error, request);
      const failed = { answer: 'result', text: 'the host gave no result', isError: true };
      await this.#session.answer(id, kind === 'host_tool' ? failed : UNDECIDED);
    }
  }

  async #decide(request, context) {
    const tool = request.kind === 'host_tool' ? this.#tools.get(request.title) : undefined;
    const report = (error) => this.#report(error, request);
    if (tool) return answered(tool, request.input, context, report);
    if (!this.#onRequest) return { answer: 'deny', message: 'nobody is asked here' };
    try {
      return (await this.#onRequest(request, context)) ?? { answer: 'deny' };
    } catch (error) {
      report(error);
      return UNDECIDED;
    }
  }
}

module.exports = { Attendant };
