'use strict';
// `spawnClaudeCodeProcess` for the Claude Agent SDK: its processes come from a pool, and stay warm for the conversation.
//
// The SDK is alone with its process. When it is done with one that is between two turns, the process is kept under the
// name of its launch and its conversation; a query that resumes that conversation with the same launch gets it.

const { createHash } = require('node:crypto');

const { Child, Lent } = require('./lib/lent.js');

/** Arguments that name a conversation, and what follows them. */
const CONVERSATION = new Set(['--resume', '--session-id']);
/** With these a process is no other's. */
const OWN = new Set(['--continue', '-c', '--fork-session', '--resume-session-at', '--resume-drops-turn']);
/** So many answers to `initialize` are remembered. */
const REMEMBERED = 1024;

/** What the arguments say of the conversation, and the rest of them. */
function parted(args) {
  const rest = [];
  let [resume, own] = [null, false];
  for (let at = 0; at < args.length; at += 1) {
    const [name, value] = args[at].split(/=(.*)/s);
    own ||= OWN.has(name);
    if (!CONVERSATION.has(name)) {
      rest.push(args[at]);
      continue;
    }
    const id = value ?? args[++at];
    if (name === '--resume') resume = id;
  }
  return { rest, resume, own };
}

function parsed(line) {
  try {
    return JSON.parse(line);
  } catch {
    return {};
  }
}

function digest(value) {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}

/** What one query does with its process. */
class Watch {
  #kept;
  #launch = null;
  #initialize = null;
  #conversation = null;
  #asked = 0;
  #answered = 0;
  #open = new Set();
  #mode;
  #failed = false;
  #own;
  #ended = false;
  #left = false;

  constructor(kept, own) {
    this.#kept = kept;
    this.#own = own;
  }

  /** The name of a process with this conversation. */
  name(launch, conversation) {
    this.#launch = launch;
    return `${launch}:${conversation}`;
  }

  /** A line of the SDK. `null`: it is answered here. */
  wrote(child, line) {
    const { type, request_id: id, request, response } = parsed(line);
    if (type === 'user') this.#asked += 1;
    if (type === 'control_response') {
      this.#open.delete(response?.request_id);
      // What this query allowed for good, the next one was not asked about.
      this.#own ||= line.includes('"updatedPermissions"');
    }
    if (type !== 'control_request') return line;
    if (request?.subtype !== 'initialize') {
      // Whatever it sets, the next query did not ask for.
      if (request?.subtype !== 'interrupt') this.#own = true;
      this.#open.add(id);
      return line;
    }
    this.#initialize = id;
    const known = this.#kept.get(this.#launch);
    if (!child.lent.kept || known === undefined) {
      this.#open.add(id);
      return line;
    }
    // A process is initialized once.
    child.say(JSON.stringify({ type: 'control_response', response: { ...known, request_id: id } }));
    return null;
  }

  /** A line of the process. */
  said(child, line) {
    const { type, subtype, request_id: id, response, session_id: session, permissionMode: mode, is_error: failed } = parsed(line);
    if (session) this.#conversation = session;
    if (type === 'control_request') this.#open.add(id);
    if (type === 'control_cancel_request') this.#open.delete(id);
    if (type === 'control_response') {
      this.#open.delete(response?.request_id);
      if (response?.request_id === this.#initialize) this.#remember(response);
    }
    // Work goes on behind the turns: its news belong to this query.
    if (type === 'system' && subtype?.startsWith('task_')) this.#own = true;
    if (type === 'system' && mode !== undefined) {
      // The first is that of the options. The agent may change it by itself: an approved plan does.
      this.#mode ??= mode;
      this.#own ||= mode !== this.#mode;
    }
    if (type === 'result') {
      this.#answered += 1;
      this.#failed = failed === true;
    }
    if (this.#ended) this.#part(child);
  }

  /** The SDK writes no more. */
  ended(child) {
    this.#ended = true;
    this.#part(child);
  }

  #part(child) {
    // Of several prompts some may be answered together: then the agent itself knows when it is done.
    const awaited = this.#asked === 1 && this.#answered === 0 && !this.#own;
    if (awaited) return;
    if (this.#asked === this.#answered && this.#open.size === 0 && this.#mayStay(child)) {
      child.leave(this.name(this.#launch, this.#conversation));
    } else if (!this.#left) {
      this.#left = true;
      child.endInput();
    }
  }

  #mayStay(child) {
    const whole = this.#launch !== null && this.#conversation !== null && this.#answered > 0;
    // Of a failed query the SDK hears by the exit code.
    return whole && !this.#own && !this.#failed && !child.killed && this.#kept.has(this.#launch);
  }

  #remember(response) {
    if (response.subtype !== 'success') return;
    if (this.#kept.size >= REMEMBERED) this.#kept.delete(this.#kept.keys().next().value);
    this.#kept.set(this.#launch, response);
  }
}

/** Makes the SDK's `spawnClaudeCodeProcess` of a pool. */
function spawnFrom(pool) {
  /** Answers to `initialize`, by launch. */
  const kept = new Map();
  return function spawnClaudeCodeProcess({ command, args, cwd = '.', env, signal }) {
    const { rest, resume, own } = parted(args);
    const set = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined));
    const options = { program: command, args, cwd, environment: { set, clear: true } };
    const watch = new Watch(kept, own);
    const lend = (first) => {
      const launch = digest([command, rest, cwd, set, parsed(first).request ?? null]);
      const name = watch.name(launch, resume);
      return new Lent(pool, resume !== null && !own && kept.has(launch) ? [name] : [], options);
    };
    const child = new Child(lend, watch);
    if (signal) {
      const abort = () => child.kill();
      if (signal.aborted) abort();
      signal.addEventListener('abort', abort, { once: true });
      child.once('exit', () => signal.removeEventListener('abort', abort));
    }
    return child;
  };
}

module.exports = { spawnFrom };
