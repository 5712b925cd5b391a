// What a host can do while a turn runs.

import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';

import { capabilities, Pool, TurnFailedError, TurnInterruptedError, version } from '../index.mjs';
import { all, count, each, hanging, one, refused, whole } from './support.mjs';

each('a message waits, is edited, and runs as a turn of its own', async (scene) => {
  const session = await scene.open();
  const turn = await hanging(session);
  const waiting = session.send('wrong', { onBusy: 'queue', tag: 7 });
  const gone = session.send('never', { onBusy: 'queue' });
  assert.deepEqual(await waiting.accepted, { sent: 'queued', turn: waiting.id, position: 0, why: null });
  assert.equal((await gone.accepted).position, 1);
  await session.edit(waiting.id, 'right');
  session.cancel(gone.id);
  await assert.rejects(gone.result(), TurnInterruptedError);
  assert.throws(() => session.cancel(gone.id), refused('STALE'));
  assert.deepEqual(session.snapshot().queued.map((of) => of.turn), [waiting.id]);
  await turn.interrupt();
  const events = await all(waiting);
  assert.equal(events.at(-1).result.text, 'You said: right');
  assert.equal(events.find((event) => event.type === 'turn_started').tag, 7);
});

each('an interrupt takes the queue with it if it is told to', async (scene) => {
  const session = await scene.open();
  const turn = await hanging(session);
  const waiting = session.send('never', { onBusy: 'queue' });
  assert.equal(await turn.interrupt({ dropQueue: true }), 'delivered');
  await assert.rejects(turn.result(), TurnInterruptedError);
  await assert.rejects(waiting.result(), TurnInterruptedError);
  assert.equal(await session.interrupt(turn.id), 'too_late');
});

each(
  'a message joins the running turn, and ends with it',
  async (scene) => {
    const session = await scene.open();
    const turn = session.send('[[tool Bash make 2000]] [[say end]]');
    for (let type; type !== 'tool_use'; ) type = (await turn.next()).value.type;
    const joined = session.send('[[say joined]]', { onBusy: 'steer', tag: 3 });
    const sent = await joined.accepted;
    assert.deepEqual([sent.sent, sent.into, joined.id], ['steered', turn.id, turn.id]);
    const [rest, result, same] = await Promise.all([all(joined), turn.result(), joined.result()]);
    assert.deepEqual(same, result);
    assert.equal(rest.at(-1).type, 'turn_completed');
    assert.equal(rest.find((event) => event.type === 'steered')?.tag, 3);
  },
  { protocols: ['claude', 'codex'] },
);

/** A turn that runs a tool for so long, which is not read any more. */
async function working(session, ms) {
  const turn = session.send(`[[tool Bash make ${ms}]]`);
  for (let type; type !== 'tool_use'; ) type = (await turn.next()).value.type;
  await turn.return();
  return turn;
}

one('a message that joined holds nothing back until it is read, and has its result', async (scene) => {
  const session = await scene.open();
  const turn = await working(session, 2000);
  const joined = session.send('[[say joined]]', { onBusy: 'steer' });
  const left = session.send('[[say left]]', { onBusy: 'steer' });
  await left.return();
  const asked = session.ask('[[bytes 2000000]] [[tool Bash ls]] [[say end]]', { onBusy: 'steer' });
  const result = await turn.result();
  const sent = [await joined.accepted, await left.accepted];
  assert.deepEqual(sent.map((of) => of.sent), ['steered', 'steered']);
  assert.deepEqual(await joined.result(), result);
  assert.deepEqual(await left.result(), result);
  assert.deepEqual(await asked, result);
  assert.deepEqual(await left.next(), { value: undefined, done: true });
  const types = (await all(joined)).map((event) => event.type);
  assert.deepEqual([types[0], types.at(-1)], ['gap', 'turn_completed']);
}, { pool: { logBytes: 64 << 10 } });

one('a message comes behind those that were sent before, whatever they wait for', async (scene) => {
  const session = await scene.open();
  fs.writeFileSync(path.join(scene.folder, 'a.txt'), 'text');
  const attachments = [{ path: 'a.txt' }];
  const firsts = [
    () => session.send('[[hang]]', { onBusy: 'steer' }),
    () => session.send({ text: '[[hang]]', attachments }),
  ];
  for (const send of firsts) {
    const [first, second] = [send(), session.send('second', { onBusy: 'queue' })];
    const sent = [await first.accepted, await second.accepted];
    assert.deepEqual(sent.map((of) => of.sent), ['started', 'queued']);
    await first.interrupt();
    assert.equal((await second.result()).text, 'You said: second');
  }
  assert.throws(() => session.send(' '), refused('INVALID_ARGUMENT'), 'nothing is read any more');
});

one('a change comes before the message that is sent next', async (scene) => {
  const session = await scene.open();
  const changed = session.change({ model: 'other' });
  await session.ask('hello');
  await changed;
  await session.close();
  const types = (await whole(session)).map((event) => event.type);
  const told = types.filter((type) => ['settings_changed', 'turn_started'].includes(type));
  assert.deepEqual(told, ['settings_changed', 'turn_started']);
});

one('settings change, and the answer says when they hold', async (scene) => {
  const session = await scene.open();
  assert.equal(await session.change({ model: 'other' }), 'next_process');
  await session.ask('hello');
  assert.equal(await session.change({ permissionMode: 'plan' }), 'live');
  assert.deepEqual(session.snapshot().settings.permissionMode, 'plan');
  await assert.rejects(session.change({}), refused('INVALID_ARGUMENT'));
});

one('operations give what the agent says, or are refused', async (scene) => {
  const session = await scene.open();
  await assert.rejects(session.operate({ operation: 'rewind', before: 'nothing' }));
  const models = await session.operate('list_models');
  assert.ok(Array.isArray(models.models), JSON.stringify(models));
});

one('a budget that is used up fails the turn and not the process', async (scene) => {
  const session = await scene.open();
  const turn = session.send('[[say a]] [[hang]]', { budget: { maxDurationMs: 50 } });
  await assert.rejects(turn.result(), (error) => {
    assert.ok(error instanceof TurnFailedError);
    return refused('BUDGET_EXCEEDED')(error);
  });
  await session.ask('on');
  assert.equal(scene.pool.stats().processesStarted, 1);
});

one('files and bytes are attached, and what cannot be read refuses the message', async (scene) => {
  const session = await scene.open();
  fs.writeFileSync(path.join(scene.folder, 'a.txt'), 'text');
  const bytes = new TextEncoder().encode('text');
  await session.ask({ text: 'b', attachments: [{ bytes, mediaType: 'text/plain', name: 'b.txt' }] });
  await session.ask({ text: 'a', attachments: [{ path: 'a.txt' }] });
  const missing = session.send({ text: 'c', attachments: [{ path: 'none.txt' }] });
  assert.equal(missing.id, null);
  await assert.rejects(missing.result(), refused('INVALID_ARGUMENT'));
  await assert.rejects(missing.next(), refused('INVALID_ARGUMENT'));
  // Nobody asks for anything of this one, and nothing is unhandled.
  session.send({ text: 'c', attachments: [{ path: 'none.txt' }] });
  await session.ask('on');
});

one('a signal interrupts the turn of a message', async (scene) => {
  const session = await scene.open();
  const stop = new AbortController();
  const turn = session.send('[[say here]] [[hang]]', { signal: stop.signal });
  const types = [];
  for await (const event of turn) {
    types.push(event.type);
    if (event.type === 'text_delta') stop.abort();
  }
  assert.equal(types.at(-1), 'turn_interrupted');
  const reason = new Error('enough');
  const asking = new AbortController();
  const asked = session.ask('[[hang]]', { signal: asking.signal });
  asking.abort(reason);
  await assert.rejects(asked, reason);
  assert.throws(() => session.send('x', { signal: AbortSignal.abort(reason) }), reason);
});

one('a signal ends waiting, and what was called goes on', async (scene) => {
  const aborted = { signal: AbortSignal.abort(new Error('no')) };
  await assert.rejects(scene.open(aborted), /no/);
  const session = await scene.open();
  assert.throws(() => session.events(aborted), /no/);
  const stop = new AbortController();
  const events = session.events({ from: 1000, signal: stop.signal });
  const waiting = events.next();
  stop.abort(new Error('stop'));
  await assert.rejects(waiting, /stop/);
  assert.deepEqual(await events.next(), { value: undefined, done: true });
  const closing = new AbortController();
  const closed = session.close({ signal: closing.signal });
  closing.abort(new Error('later'));
  await assert.rejects(closed, /later/);
  await whole(session);
});

one('what was called goes on, also when the signal comes at once', async (scene) => {
  const session = await scene.open();
  const turn = await hanging(session);
  const atOnce = async (call) => {
    const stop = new AbortController();
    const called = call({ signal: stop.signal });
    stop.abort(new Error('at once'));
    await assert.rejects(called, /at once/);
  };
  await atOnce((how) => session.interrupt(turn.id, how));
  await assert.rejects(turn.result(), TurnInterruptedError);
  await atOnce((how) => scene.pool.shutdown(how));
  await whole(session);
});

one('a signal is heard once by a reader that is between two events, and by none that is over', async (scene) => {
  const session = await scene.open();
  const [stop, other] = [new AbortController(), new AbortController()];
  const events = session.events({ signal: stop.signal });
  assert.equal((await events.next()).value.seq, 1);
  stop.abort(new Error('stop'));
  await assert.rejects(events.next(), /stop/);
  assert.deepEqual(await events.next(), { value: undefined, done: true });
  await session.events({ signal: other.signal }).return();
  const reading = all(session.events({ signal: other.signal }));
  await session.close();
  await reading;
  assert.deepEqual(getEventListeners(other.signal, 'abort'), []);
});

one('a signal ends waiting for a message that nobody has accepted yet', async (scene) => {
  const session = await scene.open();
  const turn = await working(session, 60_000);
  const joined = session.send('[[say joined]]', { onBusy: 'steer' });
  const stop = new AbortController();
  const waiting = [joined.result({ signal: stop.signal }), joined.interrupt({ signal: stop.signal })];
  stop.abort(new Error('stop'));
  for (const of of waiting) await assert.rejects(of, /stop/);
  assert.equal(joined.id, null);
  await turn.interrupt();
});

one('events are read again from any seq, and only those of the types that are wanted', async (scene) => {
  const session = await scene.open();
  await session.ask('one');
  await session.close();
  const events = await whole(session);
  assert.deepEqual(await all(session.events({ from: 4 })), events.slice(3));
  const types = ['text_delta', 'session_closed'];
  const some = await all(session.events({ types }));
  assert.deepEqual(some, events.filter((event) => types.includes(event.type)));
  assert.equal(count(some, 'session_closed'), 1);
});

test('wrong options are named, and a wrong directory', async () => {
  assert.throws(() => new Pool({ maxWarm: 0 }), refused('INVALID_ARGUMENT'));
  assert.throws(() => new Pool({ maxWram: 1 }), /max_wram/);
  const pool = new Pool();
  await assert.rejects(pool.open('nobody'), refused('INVALID_ARGUMENT'));
  await assert.rejects(pool.open('claude', { cwd: '/no/such', program: 'sh' }), refused('CWD_UNUSABLE'));
  await assert.rejects(pool.open('claude', { program: '/no/such' }), refused('PROGRAM_NOT_FOUND'));
  assert.equal(pool.options.maxWarm, 5);
  await pool.shutdown();
});

test('the table of capabilities has every provider, and is one table for each', () => {
  const table = capabilities();
  assert.deepEqual(capabilities('claude'), table.claude);
  assert.deepEqual(table.claude.resume, { warm: true, oneShot: true });
  for (const feature of ['output_schema', 'host_tools']) {
    assert.deepEqual(Object.keys(table.claude[feature]), ['warm', 'oneShot'], feature);
  }
  assert.throws(() => capabilities('nobody'), refused('INVALID_ARGUMENT'));
  assert.match(version, /^\d+\.\d+\.\d+$/);
});
