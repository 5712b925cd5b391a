// Every program of the README runs as it stands; only the agent is a scripted one, or the model is on loopback.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { fileURLToPath } from 'node:url';

import { agent, model, nothingLeft, one, real, run } from './support.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const readme = fs.readFileSync(path.join(here, '../README.md'), 'utf8');
const programs = new Map([...readme.matchAll(/^```(?:js|ts) (\S+)\n(.*?)^```/gms)].map(([, name, text]) => [name, text]));

/** A project with the package, and the programs of the README. */
function project(folder) {
  const modules = path.join(folder, 'node_modules');
  fs.mkdirSync(modules, { recursive: true });
  fs.symlinkSync(path.join(here, '..'), path.join(modules, 'remuda'));
  for (const name of fs.readdirSync(path.join(here, 'node_modules'))) {
    if (name !== '.package-lock.json' && name !== 'remuda') {
      fs.symlinkSync(path.join(here, 'node_modules', name), path.join(modules, name));
    }
  }
  for (const [name, text] of programs) fs.writeFileSync(path.join(folder, name), text);
}

/** The same, where `claude` is the scripted agent. */
function scripted(scene) {
  project(scene.folder);
  const bin = path.join(scene.folder, 'bin');
  fs.mkdirSync(bin);
  fs.symlinkSync(agent, path.join(bin, 'claude'));
  return { cwd: scene.folder, env: { PATH: `${bin}:${process.env.PATH}` } };
}

const flags = ['--preserve-symlinks'];

function program(name, check, { input } = {}) {
  one(`the program ${name} runs`, async (scene) => {
    const how = scripted(scene);
    const ended = await run(path.join(scene.folder, name), [], { ...how, input, flags });
    assert.equal(ended.code, 0, ended.stderr);
    check(ended);
  });
}

program('quick-start.mjs', ({ stdout }) => {
  const lines = stdout.trim().split('\n');
  assert.equal(lines[0], 'You said: Say hello in five words.');
  assert.match(lines[1], /^You said: And now in three\. \(\d+ ms\)$/);
  assert.equal(lines[2], 'left: []');
});

program('control.mjs', ({ stdout, stderr }) => {
  assert.equal(stdout + stderr, 'You said: Then say stop.\n');
});

program('tools.mjs', ({ stdout }) => assert.equal(stdout, 'You said: Is ticket ABC-1 open?\n'));

program('chat.mjs', ({ stdout }) => assert.match(stdout, /You said: hello/), { input: 'hello\n' });

one('the program chat.mjs asks its user', async (scene) => {
  const { cwd, env } = scripted(scene);
  const child = spawn(process.execPath, [...flags, 'chat.mjs'], { cwd, env: { ...process.env, ...env } });
  let [said, told] = ['', false];
  child.stdout.on('data', (data) => {
    said += data;
    // The call may be shown before the question or after it.
    if (!told && /ls\? \[y\/N\] /.test(said)) told = child.stdin.write('y\n');
    if (/done\n> $/.test(said)) child.stdin.end();
  });
  child.stdin.write('[[ask Bash "ls" 0]] [[say done]]\n');
  const [code] = await once(child, 'close');
  assert.equal(code, 0);
  assert.match(said, /y\/N.*done/s);
});

one('the program fastify.mjs serves events until it is ended', async (scene) => {
  const { cwd, env } = scripted(scene);
  const child = spawn(process.execPath, [...flags, 'fastify.mjs'], { cwd, env: { ...process.env, ...env, PORT: '0' } });
  child.stderr.pipe(process.stderr);
  const [line] = await once(createInterface({ input: child.stdout }), 'line');
  const url = `http://127.0.0.1:${line.match(/\d+$/)[0]}/chats/1`;
  for (const message of ['one', 'two']) {
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ message }) });
    const text = await response.text();
    const data = text.split('\n').filter((of) => of.startsWith('data: ')).map((of) => JSON.parse(of.slice(6)));
    assert.equal(data.at(-1).result.text, `You said: ${message}`);
    assert.match(text, /^event: turn_started\n/);
  }
  child.kill('SIGTERM');
  const [code] = await once(child, 'close');
  assert.equal(code, 0);
});

test('the quick start, and the one of the Agent SDK, run with the real Claude Code', async () => {
  const api = await model();
  const claude = real('claude', api.url);
  project(claude.folder);
  const bin = path.join(claude.folder, 'bin');
  fs.mkdirSync(bin);
  fs.symlinkSync(claude.program, path.join(bin, 'claude'));
  const env = { ...claude.set, PATH: `${bin}:${process.env.PATH}` };
  const quick = await run('quick-start.mjs', [], { cwd: claude.folder, env, flags });
  assert.equal(quick.stdout.replace(/\(\d+ ms\)/, '()'), 'turn 1\nturn 2 ()\nleft: []\n', quick.stderr);
  const text = programs.get('agent-sdk.mjs').replace('resume }', `resume, pathToClaudeCodeExecutable: '${claude.program}' }`);
  fs.writeFileSync(path.join(claude.folder, 'agent-sdk.mjs'), text);
  const sdk = await run('agent-sdk.mjs', [], { cwd: claude.folder, env, flags });
  assert.equal(sdk.stdout, 'turn 1\nturn 2\n', sdk.stderr);
  await api.stop();
  await nothingLeft();
  fs.rmSync(claude.folder, { recursive: true, force: true, maxRetries: 5 });
});

one('the program of Electron has right types', async (scene) => {
  project(scene.folder);
  const tsc = path.join(here, 'node_modules/.bin/tsc');
  const options = ['--strict', '--noEmit', '--module', 'nodenext', '--target', 'es2022', '--skipLibCheck', '--types', 'node'];
  await promisify(execFile)(tsc, [...options, 'electron-main.ts'], { cwd: scene.folder }).catch(({ stdout }) => {
    assert.fail(stdout);
  });
});

test('every program of the README is tried', () => {
  const tried = ['quick-start', 'control', 'tools', 'fastify', 'chat', 'agent-sdk'].map((name) => `${name}.mjs`);
  assert.deepEqual([...programs.keys()].sort(), [...tried, 'electron-main.ts'].sort());
});
