// The life of a session whose agent behaves, or fails: what the tests of the other surfaces see, seen from here.

import assert from 'node:assert/strict';

import { RemudaError, TurnFailedError, TurnInterruptedError } from '../index.mjs';
import { all, count, each, hanging, refused, until, whole } from './support.mjs';

/** In the second turn of the first process the agent says something and dies. */
const diesInSecondTurn = [{ on: 'turn 2', do: ['words 2', 'kill-self'], process: 1 }];
const recalled = async (session) => (await session.ask('[[recall]]')).text;

each('a turn tells what the agent says, and ends once', async (scene) => {
  const session = await scene.open();
  const events = await all(session.send('hello'));
  const said = events.filter((event) => event.type === 'text_delta').map((event) => event.text);
  assert.equal(said.join(''), 'You said: hello');
  assert.equal(events[0].type, 'turn_started');
  assert.equal(events.at(-1).type, 'turn_completed');
  assert.equal(events.at(-1).result.text, 'You said: hello');
  for (const event of events) {
    assert.equal(event.session, session.id);
    assert.ok(Math.abs(event.timeUnixMs - Date.now()) < 120_000, `${event.timeUnixMs}`);
  }
  assert.deepEqual(await session.close(), []);
  await whole(session);
});

each('a second turn is refused while one runs and leaves no trace', async (scene) => {
  const session = await scene.open();
  const turn = await hanging(session);
  assert.throws(() => session.send('too early'), refused('TURN_IN_PROGRESS'));
  assert.throws(() => session.send(' '), refused('INVALID_ARGUMENT'));
  assert.equal(session.snapshot().running, turn.id);
  assert.equal(await turn.interrupt(), 'delivered');
  await assert.rejects(turn.result(), TurnInterruptedError);
  await session.ask('now');
  await session.close();
  assert.throws(() => session.send('too late'), refused('CLOSED'));
  assert.equal(count(await whole(session), 'turn_started'), 2);
});

each(
  'an agent that dies costs one turn and the warm process but not the conversation',
  async (scene) => {
    const session = await scene.open();
    await session.ask('one');
    await assert.rejects(session.ask('two'), (error) => {
      assert.ok(error instanceof TurnFailedError && error instanceof RemudaError);
      assert.deepEqual([error.code, error.failure.code], ['ERR_REMUDA_PROCESS_EXIT', 'process_exit']);
      assert.ok(error.failure.exit.signal === 9 || error.failure.exit.signal === null);
      return true;
    });
    assert.equal(session.snapshot().mode, 'one_shot');
    assert.match(await recalled(session), /^one\ntwo/);
    await session.close();
    const told = ['turn_started', 'process_started', 'downgraded', 'turn_failed', 'turn_completed', 'session_closed'];
    const events = await whole(session);
    const story = events.map((event) => event.type).filter((type) => told.includes(type));
    assert.deepEqual(story, [
      ...['turn_started', 'process_started', 'turn_completed'],
      ...['turn_started', 'downgraded', 'turn_failed'],
      ...['turn_started', 'process_started', 'turn_completed'],
      'session_closed',
    ]);
  },
  { script: diesInSecondTurn },
);

each(
  'an agent that dies before any sign of the turn is not noticed but for the downgrade',
  async (scene) => {
    const session = await scene.open();
    assert.equal((await session.ask('hello')).text, 'You said: hello');
    await session.close();
    const events = await whole(session);
    assert.deepEqual([count(events, 'turn_started'), count(events, 'downgraded')], [1, 1]);
    assert.equal(scene.pool.stats().processesStarted, 2);
  },
  { script: [{ on: 'start', do: ['exit 3'], process: 1 }] },
);

each(
  'after probation a session goes back to a warm process once',
  async (scene) => {
    const session = await scene.open();
    await session.ask('one');
    await assert.rejects(session.ask('two'), TurnFailedError);
    await session.ask('three');
    assert.equal(session.snapshot().mode, 'one_shot');
    await session.ask('four');
    assert.equal(session.snapshot().mode, 'warm');
    await session.close();
    assert.equal(count(await whole(session), 'restored'), 1);
  },
  { script: diesInSecondTurn, pool: { downgrade: { probation: { turns: 2 } } } },
);

each('a failure of the model costs only the turn', async (scene) => {
  const session = await scene.open();
  for (let turn = 0; turn < 3; turn += 1) await assert.rejects(session.ask('[[model-error 500]]'), TurnFailedError);
  await session.ask('good');
  assert.equal(session.snapshot().mode, 'warm');
  assert.equal(scene.pool.stats().processesStarted, 1);
});

each('questions are denied at once however many come', async (scene) => {
  const session = await scene.open();
  await session.ask('[[ask-flood 500]]');
  await session.ask('and on');
  await session.close();
  const events = await whole(session);
  assert.ok(count(events, 'request_opened') >= 500);
  assert.equal(count(events, 'request_resolved'), count(events, 'request_opened'));
});

each('a warm and a one-shot session tell the same of a turn', async (scene) => {
  const warm = await scene.open();
  const alone = await scene.open({ persistent: 'never' });
  const prompt = '[[say looking]] [[tool Bash ls]] [[say done]]';
  const [one, other] = [await warm.ask(prompt), await alone.ask(prompt)];
  assert.equal(one.text, other.text);
  for (const session of [warm, alone]) {
    await session.close();
    const events = await whole(session);
    assert.deepEqual([count(events, 'tool_use'), count(events, 'tool_result')], [1, 1]);
  }
});

each(
  'the session that was idle longest gives its process, and goes on in another',
  async (scene) => {
    const [one, two] = [await scene.open(), await scene.open()];
    await one.ask('first');
    await two.ask('other');
    assert.match(await recalled(one), /^first/);
    assert.equal(scene.pool.stats().evicted, 2);
    const hold = one.hold();
    await two.ask('spilled');
    assert.equal(scene.pool.stats().spilled, 1);
    hold.release();
    hold.release();
    await until('it may go', () => scene.pool.stats().idle === 1);
  },
  { pool: { maxWarm: 1 } },
);

each('a closed pool refuses, and says what it closed', async (scene) => {
  const session = await scene.open();
  const turn = await hanging(session);
  const report = await scene.pool.shutdown();
  assert.deepEqual([report.closed, report.left], [[session.id], []]);
  await assert.rejects(turn.result(), refused('CLOSED'));
  await assert.rejects(scene.open(), refused('CLOSED'));
  await whole(session);
});
