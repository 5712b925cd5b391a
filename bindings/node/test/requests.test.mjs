// Questions of agents: the host's function, and its tools.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { toStandardJsonSchema } from '@valibot/to-json-schema';
import * as v from 'valibot';
import { z } from 'zod';

import { tool } from '../index.mjs';
import { answered } from '../lib/tool.js';
import { all, each, one, until } from './support.mjs';

const asking = '[[ask Bash "ls" 0]] [[say done]]';

each('a handler decides, and is told what is asked', async (scene) => {
  const asked = [];
  const onRequest = async (request, { session, signal }) => {
    asked.push([request.kind, request.session === session.id, signal.aborted]);
    return asked.length === 1 ? { answer: 'allow' } : { answer: 'deny', message: 'no' };
  };
  const session = await scene.open({ onRequest });
  for (let turn = 0; turn < 2; turn += 1) await session.ask(asking).catch(() => {});
  assert.deepEqual(asked, Array(2).fill(['command_approval', true, false]));
  const resolved = session.events({ types: ['request_resolved'] });
  const how = [(await resolved.next()).value, (await resolved.next()).value];
  assert.deepEqual(how.map((event) => [event.resolution, event.by]), [['allowed', 'host'], ['denied', 'host']]);
  await resolved.return();
});

each('a handler that throws, or says nothing, means no, and the host is told', async (scene) => {
  const told = [];
  const handlers = [() => Promise.reject(new Error('mine')), () => undefined];
  const session = await scene.open({
    onRequest: () => handlers.shift()(),
    onHandlerError: (error, request) => told.push([error.message, request.type]),
  });
  for (let turn = 0; turn < 2; turn += 1) await session.ask(asking).catch(() => {});
  assert.deepEqual(told, [['mine', 'request_opened']]);
  await session.close();
  const resolved = (await all(session.events({ types: ['request_resolved'] }))).map((event) => event.resolution);
  assert.deepEqual(resolved, ['denied', 'denied']);
});

each('an answer that the question does not take means no, and the host is told', async (scene) => {
  const told = [];
  const circular = {};
  circular.self = circular;
  const answers = [{ answer: 'alow' }, { answer: 'result', text: 'x' }, { answer: 'content', content: circular }];
  const session = await scene.open({
    onRequest: () => answers.shift(),
    onHandlerError: (error) => told.push(error.code ?? error.name),
  });
  for (let turn = 0; turn < 3; turn += 1) await session.ask(asking).catch(() => {});
  assert.deepEqual(told, ['ERR_REMUDA_INVALID_ARGUMENT', 'ERR_REMUDA_INVALID_ARGUMENT', 'TypeError']);
  await session.close();
  const resolved = (await all(session.events({ types: ['request_resolved'] }))).map((event) => event.resolution);
  assert.deepEqual(resolved, ['denied', 'denied', 'denied']);
});

each('a handler is told when nobody wants its answer any more', async (scene) => {
  let context;
  const session = await scene.open({
    onRequest: (_, given) => {
      context = given;
      return new Promise(() => {});
    },
  });
  const turn = session.send(asking);
  await until('it is asked', () => context);
  assert.equal(session.snapshot().requests.length, 1);
  await turn.interrupt();
  await until('it is told', () => context.signal.aborted);
});

each('without a handler the host answers by itself, from the events or the snapshot', async (scene) => {
  const session = await scene.open({ requests: 'host' });
  const turn = session.send(asking);
  const [asked] = await until('it is asked', () => {
    const { requests } = session.snapshot();
    return requests.length > 0 && requests;
  });
  assert.ok(asked.decisions.includes('deny'), asked.decisions);
  await assert.rejects(session.answer(asked.request, { answer: 'content', content: {} }));
  await session.answer(asked.request, { answer: 'allow' });
  await assert.rejects(session.answer(asked.request, { answer: 'allow' }));
  assert.equal((await turn.result()).text, 'done');
});

one('rules answer what never needs the host', async (scene) => {
  const session = await scene.open({
    onRequest: () => assert.fail('nobody is asked'),
    rules: [{ name: 'ls', command: 'ls', action: 'allow' }],
  });
  assert.equal((await session.ask(asking)).text, 'done');
  const { value } = await session.events({ types: ['request_resolved'] }).next();
  assert.deepEqual([value.by, value.rule], ['rule', 'ls']);
});

one('an option that is undefined has its default', async (scene) => {
  let asked = 0;
  const onRequest = () => {
    asked += 1;
    return { answer: 'allow' };
  };
  const session = await scene.open({ cwd: undefined, requests: undefined, onRequest });
  assert.equal((await session.ask(asking)).text, 'done');
  assert.equal(asked, 1);
});

const ticket = { type: 'object', properties: { id: { type: 'string' } }, required: ['id'] };
const schemas = [
  ['a JSON Schema', ticket],
  ['a schema of zod', z.object({ id: z.string() })],
  ['a schema of valibot', toStandardJsonSchema(v.object({ id: v.string() }))],
];

for (const [name, input] of schemas) {
  test(`a tool takes ${name}`, async () => {
    const made = tool({ name: 'lookup', input, run: async ({ id }) => ({ id, open: true }) });
    assert.deepEqual(made.inputSchema.required, ['id']);
    assert.equal(made.inputSchema.properties.id.type, 'string');
    const given = await answered(made, { id: 'A' }, {}, assert.fail);
    assert.deepEqual(given, { answer: 'result', text: '{"id":"A","open":true}' });
    if (input === ticket) return;
    const wrong = await answered(made, { id: 1 }, {}, assert.fail);
    assert.equal(wrong.isError, true);
    assert.match(wrong.text, /^id: /);
  });
}

test('what a tool throws is told to the model and to the host', async () => {
  const made = tool({ name: 'bad', run: () => Promise.reject(new Error('mine')) });
  const told = [];
  const given = await answered(made, {}, {}, (error) => told.push(error.message));
  assert.deepEqual(given, { answer: 'result', text: 'mine', isError: true });
  assert.deepEqual(told, ['mine']);
});

test('what is neither text nor JSON is no result of a tool', async () => {
  const told = [];
  const given = await answered(tool({ name: 'odd', run: () => Symbol('odd') }), {}, {}, (error) => told.push(error.name));
  assert.deepEqual([given.answer, given.isError, told], ['result', true, ['TypeError']]);
  assert.match(given.text, /no symbol/);
});

test('a schema that gives no JSON Schema is refused, unless one stands beside it', () => {
  const input = { '~standard': { version: 1, vendor: 'bare', validate: (value) => ({ value }) } };
  assert.throws(() => tool({ name: 'x', input, run: () => '' }), /bare gives no JSON Schema/);
  assert.deepEqual(tool({ name: 'x', input, jsonSchema: ticket, run: () => '' }).inputSchema, ticket);
  assert.throws(() => tool({ name: 'x' }), /run is not a function/);
});
