// Threads and processes of JavaScript end in whatever state, and take with them what is theirs.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';

import { nothingLeft, one, quick, run, Scene } from './support.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const fixture = (name) => path.join(here, 'fixtures', name);
const ROUNDS = quick ? 14 : 200;
const WORKERS = ['empty', 'opening', 'waiting', 'flooding', 'blocked', 'closing', 'asked'];
const STATES = ['empty', 'opening', 'idle', 'running', 'reading'];
const WAYS = { exit: [7, null], throw: [1, null], reject: [1, null], abort: [null, 'SIGKILL'], signal: [null, 'SIGTERM'] };

/** Does it so often, several at a time. */
async function rounds(most, body) {
  let next = 0;
  const work = async () => {
    while (next < ROUNDS) await body(next++);
  };
  await Promise.all(Array.from({ length: most }, work));
}

one('threads are terminated in every state, and their agents end', async (scene) => {
  await rounds(4, async (round) => {
    const workerData = { state: WORKERS[round % WORKERS.length], options: scene.options() };
    const worker = new Worker(fixture('worker.mjs'), { workerData });
    worker.on('error', (error) => assert.fail(error));
    const [said] = await once(worker, 'message');
    assert.equal(said, 'ready');
    await worker.terminate();
  });
  await nothingLeft();
});

one('a thread that is terminated does nothing to the sessions of others', async (scene) => {
  const session = await scene.open();
  const turn = session.send('[[words 5]] [[sleep-ms 300]] [[words 5]]');
  const workerData = { state: 'flooding', options: scene.options() };
  const worker = new Worker(fixture('worker.mjs'), { workerData });
  await once(worker, 'message');
  await worker.terminate();
  assert.match((await turn.result()).text, /word5/);
});

one('processes exit in every state and way, and their agents end', async (scene) => {
  const pairs = STATES.flatMap((state) => Object.keys(WAYS).map((way) => [state, way]));
  await rounds(4, async (round) => {
    const [state, way] = pairs[round % pairs.length];
    const ended = await run(fixture('exit.mjs'), [state, way, JSON.stringify(scene.options())]);
    assert.deepEqual([ended.code, ended.signal], WAYS[way], `${state}, ${way}: ${ended.stderr}`);
  });
  await nothingLeft();
});

test('an idle pool does not keep the process, unless it is told to', async () => {
  const scene = new Scene('claude');
  const options = JSON.stringify(scene.options());
  const [free, kept] = await Promise.all([
    run(fixture('idle.mjs'), ['unref', options]),
    run(fixture('idle.mjs'), ['ref', options]),
  ]);
  assert.deepEqual([free.code, free.stdout, free.stderr], [0, 'You said: hello\n', '']);
  assert.deepEqual([kept.code, kept.stdout, kept.stderr], [0, 'You said: hello\nstill here\n', '']);
  await scene.end();
});

one('two copies of the package work beside each other', async (scene) => {
  const own = path.join(here, '..');
  const copy = path.join(scene.folder, 'copy');
  fs.cpSync(own, copy, { recursive: true, filter: (file) => !/node_modules|\/test$|\/src$|\/target$/.test(file) });
  const other = createRequire(import.meta.url)(copy);
  assert.notEqual(other.Pool, scene.pool.constructor);
  const pool = new other.Pool();
  const [session, mine] = [await pool.open('claude', scene.options()), await scene.open()];
  const results = await Promise.all([session.ask('one'), mine.ask('two')]);
  assert.deepEqual(results.map((result) => result.text), ['You said: one', 'You said: two']);
  await pool.shutdown();
});

test('require and import give the same classes', async () => {
  const required = createRequire(import.meta.url)('../index.js');
  const imported = await import('../index.mjs');
  for (const name of Object.keys(required)) assert.equal(imported[name], required[name], name);
  assert.equal(imported.default, required);
});
