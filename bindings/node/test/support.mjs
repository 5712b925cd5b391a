// Scripted agents, a model on loopback, and the standing check: when a test ends, no process is left.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { Pool } from '../index.mjs';

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');
export const quick = process.env.REMUDA_TEST_QUICK !== undefined;
const built = process.env.REMUDA_TEST_BUILT ?? path.join(root, 'target/debug');
export const agent = path.join(built, 'scripted-agent');

/** Agents that speak each protocol, by the provider that reads it. */
export const PROTOCOLS = ['claude', 'codex', 'acp'];
/** A mark in the environment of every agent of this process. */
const MARK = `REMUDA_TEST_MARK=${process.pid}-${Math.random()}`;
const [MARK_NAME, MARK_VALUE] = MARK.split('=');
/** What guards are called. */
const GUARD = 'remuda-guard';
/** How long things may take to be gone. No measure of speed: what leaks never goes. */
const PATIENCE_MS = 20_000;

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until it is so. */
export async function until(what, is) {
  for (const start = Date.now(); ; await sleep(5)) {
    const value = await is();
    if (value) return value;
    assert.ok(Date.now() - start < 60_000, `never: ${what}`);
  }
}

/** The agents of this process that live, by pid. */
export function agents(mark = MARK) {
  const found = [];
  for (const pid of fs.readdirSync('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    try {
      const environment = fs.readFileSync(`/proc/${pid}/environ`, 'utf8');
      if (environment.split('\0').includes(mark)) found.push(Number(pid));
    } catch {
      // It is gone, or is a zombie.
    }
  }
  return found;
}

/** The guards of this process that live. */
function guards() {
  const tasks = fs.readdirSync('/proc/self/task');
  const pids = tasks.flatMap((task) => fs.readFileSync(`/proc/self/task/${task}/children`, 'utf8').split(' '));
  return pids.filter((pid) => {
    if (pid.trim() === '') return false;
    try {
      return fs.readFileSync(`/proc/${pid}/comm`, 'utf8').startsWith(GUARD);
    } catch {
      return false;
    }
  });
}

/** Nothing of the agents is left. */
export async function nothingLeft(mark) {
  const start = Date.now();
  while (agents(mark).length > 0) {
    assert.ok(Date.now() - start < PATIENCE_MS, `left: ${agents(mark)}`);
    await sleep(10);
  }
}

/** A place where scripted agents live, and a pool. */
export class Scene {
  constructor(protocol, { pool = {}, script } = {}) {
    this.protocol = protocol;
    this.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'remuda-node-'));
    this.set = { SCRIPTED_AGENT_PROTOCOL: protocol, SCRIPTED_AGENT_STATE: this.folder, [MARK_NAME]: MARK_VALUE };
    if (script) {
      this.set.SCRIPTED_AGENT_SCRIPT = path.join(this.folder, 'script.json');
      fs.writeFileSync(this.set.SCRIPTED_AGENT_SCRIPT, JSON.stringify(script));
    }
    this.pool = new Pool(pool);
  }

  /** Options of a session here. */
  options(more = {}) {
    return { program: agent, cwd: this.folder, environment: { set: this.set }, ...more };
  }

  open(more) {
    return this.pool.open(this.protocol, this.options(more));
  }

  async end() {
    const report = await this.pool.shutdown({ deadlineMs: 30_000 });
    assert.deepEqual([report.unfinished, report.left], [[], []]);
    await nothingLeft();
    fs.rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A test of each protocol, with a scene. */
export function each(name, body, { protocols = PROTOCOLS, ...options } = {}) {
  for (const protocol of protocols) {
    test(`${protocol}: ${name}`, async () => {
      const given = typeof options.script === 'function' ? { ...options, script: options.script(protocol) } : options;
      const scene = new Scene(protocol, given);
      try {
        await body(scene);
      } finally {
        await scene.end();
      }
      assert.deepEqual(guards(), []);
    });
  }
}

/** A test of one protocol. */
export const one = (name, body, options = {}) => each(name, body, { protocols: ['claude'], ...options });

/** Everything that a closed session told, after the checks that hold for every session. */
export async function whole(session) {
  const events = await all(session.events());
  events.forEach((event, at) => assert.equal(event.seq, at + 1));
  const ends = ['turn_completed', 'turn_failed', 'turn_interrupted'];
  for (const begun of events.filter((event) => event.type === 'turn_started')) {
    const own = events.filter((event) => event.turn === begun.turn && ends.includes(event.type));
    assert.equal(own.length, 1, JSON.stringify(own));
  }
  assert.equal(events.at(-1).type, 'session_closed');
  return events;
}

export async function all(iterator) {
  const items = [];
  for await (const item of iterator) items.push(item);
  return items;
}

export const count = (events, type) => events.filter((event) => event.type === type).length;

/** Refused with this code. */
export const refused = (code) => (error) => {
  assert.equal(error.code, `ERR_REMUDA_${code}`);
  return true;
};

/** A turn that hangs, once its agent shows it. */
export async function hanging(session) {
  const turn = session.send('[[say here]] [[hang]]');
  for (;;) {
    const { value } = await turn.next();
    if (value.type === 'text_delta') return turn;
  }
}

/** Runs a program of Node to its end. */
export function run(file, args = [], { env = {}, input, flags = [], cwd } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...flags, file, ...args], { env: { ...process.env, ...env }, cwd });
    const said = { stdout: '', stderr: '' };
    for (const stream of ['stdout', 'stderr']) child[stream].on('data', (data) => (said[stream] += data));
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, ...said }));
    if (input) child.stdin.end(input);
  });
}

/** The model on loopback. */
export async function model() {
  const child = spawn(path.join(built, 'model-api'), ['--port', '0'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [url] = await new Promise((resolve, reject) => {
    child.once('error', reject);
    createInterface({ input: child.stdout }).once('line', (line) => resolve([line]));
  });
  const gone = new Promise((resolve) => child.once('close', resolve));
  const stop = async () => {
    child.kill('SIGKILL');
    await gone;
  };
  return { url, stop };
}

/** A real agent: its program, and the environment in which it knows only that model. */
export function real(name, url) {
  const modules = path.join(root, 'tests/real-agents/node_modules');
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'remuda-node-'));
  const base = { HOME: folder, NO_PROXY: '*', PATH: process.env.PATH, [MARK_NAME]: MARK_VALUE };
  const found = (pattern) => {
    const file = pattern.reduce((folders, part) => folders.flatMap((folder) => matching(folder, part)), [modules])[0];
    assert.ok(file, `${name} is not installed: npm ci in tests/real-agents`);
    return file;
  };
  if (name === 'claude') {
    const own = {
      CLAUDE_CONFIG_DIR: path.join(folder, '.claude'),
      ANTHROPIC_BASE_URL: url,
      ANTHROPIC_API_KEY: 'loopback',
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
      DISABLE_TELEMETRY: '1',
      DISABLE_ERROR_REPORTING: '1',
      DISABLE_AUTOUPDATER: '1',
      DISABLE_BUG_COMMAND: '1',
      IS_SANDBOX: '1',
    };
    return { program: found(['@anthropic-ai', /^claude-code-/, 'claude']), set: { ...base, ...own }, folder };
  }
  const home = path.join(folder, '.codex');
  fs.mkdirSync(home);
  const config = [
    'model = "gpt-5.5"',
    'model_provider = "loopback"',
    'check_for_update_on_startup = false',
    '[model_providers.loopback]',
    'name = "loopback"',
    `base_url = "${url}/v1"`,
    'wire_api = "responses"',
    'env_key = "LOOPBACK_API_KEY"',
    'supports_websockets = false',
    '[features]',
    'plugins = false',
    '[analytics]',
    'enabled = false',
  ];
  fs.writeFileSync(path.join(home, 'config.toml'), config.join('\n'));
  const set = { ...base, CODEX_HOME: home, LOOPBACK_API_KEY: 'loopback' };
  return { program: found(['@openai', /^codex-/, 'vendor', /./, 'bin', 'codex']), set, folder };
}

function matching(folder, part) {
  if (typeof part === 'string') {
    const file = path.join(folder, part);
    return fs.existsSync(file) ? [file] : [];
  }
  const names = fs.existsSync(folder) ? fs.readdirSync(folder) : [];
  return names.filter((name) => part.test(name)).sort().map((name) => path.join(folder, name));
}
