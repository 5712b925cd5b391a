// How events reach JavaScript: in order, bounded, without holding up anybody.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as wait } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';

import { Pool } from '../index.mjs';
import { all, each, one, quick, until, whole } from './support.mjs';

/** JavaScript does nothing else for so long, and until it is so. */
function block(ms, is) {
  const start = Date.now();
  for (let next = start + ms; ; next += 200) {
    while (Date.now() < next);
    if (is()) return;
    assert.ok(Date.now() - start < 120_000, 'it never is');
  }
}

/** How long a thread that does nothing is held up meanwhile, by other programs: the measure of this machine at this time. */
function control() {
  const source = `
    const { monitorEventLoopDelay } = require('node:perf_hooks');
    const { parentPort } = require('node:worker_threads');
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    parentPort.once('message', () => parentPort.postMessage(delay.percentile(99) / 1e6));`;
  const worker = new Worker(source, { eval: true });
  return async () => {
    worker.postMessage('stop');
    const [p99] = await once(worker, 'message');
    await worker.terminate();
    return p99;
  };
}

/** What this process has in memory of its own, in bytes: without the pages of programs that it has loaded. */
function resident() {
  const [, kilobytes] = fs.readFileSync('/proc/self/status', 'utf8').match(/^RssAnon:\s+(\d+) kB/m);
  return Number(kilobytes) << 10;
}

one('nothing is lost and memory stays while JavaScript is blocked and ten agents flood', async (scene) => {
  // More than the logs hold, in pieces as models send them.
  const [pieces, blocked] = [60_000, quick ? 1_000 : 10_000];
  const stem = 's'.repeat(100);
  const sessions = await Promise.all(Array.from({ length: 10 }, () => scene.open()));
  for (const session of sessions) await session.ask('warm');
  globalThis.gc?.();
  const before = resident();
  const turns = sessions.map((session) => session.send(`[[words ${pieces} ${stem}]]`));
  const first = await Promise.all(turns.map((turn) => turn.next()));
  block(blocked, () => sessions.every((session) => session.snapshot().heldBack));
  const grown = resident() - before;
  console.log(`# memory: ${grown >> 20} MiB more`);
  assert.ok(grown < 64 << 20, `${grown >> 20} MiB more`);
  const lengths = await Promise.all(
    turns.map(async (turn, at) => {
      let length = first[at].value.text?.length ?? 0;
      for await (const event of turn) if (event.type === 'text_delta') length += event.text.length;
      return [length, (await turn.result()).text.length];
    }),
  );
  for (const [length, whole] of lengths) {
    assert.equal(length, whole);
    assert.ok(length > pieces * stem.length);
  }
}, { pool: { maxWarm: 10 } });

one('a reader that is slow gets everything, and the agent waits for it', async (scene) => {
  const session = await scene.open();
  const turn = session.send('[[bytes 8000000]]');
  let length = 0;
  for await (const event of turn) {
    if (event.type !== 'text_delta') continue;
    if (length === 0) await until('it is held back', () => session.snapshot().heldBack);
    length += event.text.length;
  }
  assert.equal(length, 8_000_000);
}, { pool: { logBytes: 1 << 20 } });

each('text of every script arrives as it was', async (scene) => {
  const session = await scene.open();
  const text = 'déjà vu 日本語 🐎🐎 <\\u0000> "quotes"';
  const events = await all(session.send(`[[say ${text}]]`));
  const said = events.filter((event) => event.type === 'text_delta').map((event) => event.text);
  assert.equal(said.join(''), text);
  assert.equal(events.at(-1).result.text, text);
});

one('a turn that is left in the middle holds nothing back, and has its result', async (scene) => {
  const session = await scene.open();
  for await (const event of session.send('[[words 50]]')) if (event.type === 'text_delta') break;
  const turn = session.send('[[words 3]]', { onBusy: 'queue' });
  assert.equal((await turn.result()).text.trim(), 'word1 word2 word3');
  assert.equal((await turn.result()).text.trim(), 'word1 word2 word3', 'as often as one likes');
  await turn.return();
  assert.deepEqual(await turn.next(), { value: undefined, done: true });
});

one('a turn that is read too late tells what is missing, and has its result', async (scene) => {
  const session = await scene.open();
  const turn = session.send('[[bytes 2000000]]');
  const ends = session.events({ types: ['turn_completed'] });
  await ends.next();
  await ends.return();
  assert.deepEqual((await all(turn)).map((event) => event.type), ['gap']);
  assert.equal((await turn.result()).text.length, 2_000_000);
}, { pool: { logBytes: 64 << 10 } });

one('several may wait for the next event, and each gets one', async (scene) => {
  const session = await scene.open();
  const events = session.events();
  const waiting = Array.from({ length: 6 }, () => events.next());
  await session.ask('hello');
  const got = await Promise.all(waiting);
  assert.deepEqual(got.map(({ value }) => value.seq), [1, 2, 3, 4, 5, 6]);
  await events.return();
  assert.deepEqual(await events.next(), { value: undefined, done: true });
});

one('an emitter tells every event by its type, and its end', async (scene) => {
  const session = await scene.open();
  const emitter = session.emitter();
  const [types, texts] = [[], []];
  emitter.on('event', (event) => types.push(event.type));
  emitter.on('message', (event) => texts.push(event.text));
  await session.ask('hello');
  void session.close();
  await once(emitter, 'end');
  assert.deepEqual(texts, ['You said: hello']);
  assert.deepEqual(types, (await whole(session)).map((event) => event.type));
});

one('a web stream reads when it is read, and lets go when it is cancelled', async (scene) => {
  const session = await scene.open();
  const events = [];
  for await (const event of session.send('hello').readable()) events.push(event.type);
  assert.equal(events.at(-1), 'turn_completed');
  const reader = session.readable().getReader();
  assert.equal((await reader.read()).value.type, 'session_opened');
  await reader.cancel();
  const stop = session.readable().getReader();
  await session.close();
  let last;
  for (let step = await stop.read(); !step.done; step = await stop.read()) last = step.value;
  assert.equal(last.type, 'session_closed');
});

one('a session of which nobody has anything is closed', async (scene) => {
  if (!globalThis.gc) return;
  await (async () => {
    const session = await scene.open();
    await session.ask('hello');
  })();
  await until('it is gone', async () => {
    globalThis.gc();
    await wait(1);
    return scene.pool.stats().sessions === 0;
  });
});

/** What nobody has is collected meanwhile. */
async function collected() {
  for (let round = 0; round < 50; round += 1) {
    globalThis.gc();
    await wait(1);
  }
}

one('a session of which nobody has more than a reader stays', async (scene) => {
  if (!globalThis.gc) return;
  const types = [];
  await (async () => {
    const session = await scene.open();
    session.emitter().on('event', (event) => types.push(event.type));
    await session.ask('hello');
  })();
  await collected();
  assert.equal(scene.pool.stats().sessions, 1);
  assert.ok(!types.includes('session_closed'), `${types}`);
});

one('a session with a handler stays until it is closed, also when nobody has its pool', async (scene) => {
  if (!globalThis.gc) return;
  const opened = await (async () => {
    const session = await new Pool().open('claude', scene.options({ onRequest: () => undefined }));
    return new WeakRef(session);
  })();
  await collected();
  assert.deepEqual(await opened.deref().close(), []);
});

one('a thousand sessions at the same time leave the event loop free', async (scene) => {
  const sessions = await Promise.all(Array.from({ length: quick ? 100 : 1000 }, () => scene.open()));
  const other = control();
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const texts = await Promise.all(
    sessions.map(async (session) => {
      let text = '';
      for await (const event of session.send('[[words 50]]')) if (event.type === 'text_delta') text += event.text;
      return text.length;
    }),
  );
  delay.disable();
  const [p99, idle] = [delay.percentile(99) / 1e6, await other()];
  assert.ok(texts.every((length) => length === texts[0] && length > 300));
  assert.equal(scene.pool.stats().turnsCompleted, sessions.length);
  const said = `event loop: p99 ${p99.toFixed(1)} ms; of a thread that does nothing: ${idle.toFixed(1)} ms`;
  console.log(`# ${said}`);
  assert.ok(p99 < 20 + idle, said);
  await Promise.all(sessions.map((session) => session.close()));
}, { pool: { maxWarm: 20, maxStarting: 4 } });
