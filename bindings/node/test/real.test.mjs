// The real agents, whose model is on loopback.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';

import { query } from '@anthropic-ai/claude-agent-sdk';
import { z } from 'zod';

import { Pool, tool } from '../index.mjs';
import { spawnFrom } from '../claude-agent-sdk.mjs';
import { all, model, nothingLeft, real, until, whole } from './support.mjs';

const said = (...elements) => `MODEL:${JSON.stringify(elements)}`;

/** A test with a real agent. */
function withAgent(name, what, body) {
  test(`${name}: ${what}`, async () => {
    const api = await model();
    const agent = real(name, api.url);
    const pool = new Pool();
    const open = (more) => {
      const environment = { set: agent.set, clear: true };
      return pool.open(name, { program: agent.program, cwd: agent.folder, environment, ...more });
    };
    try {
      await body({ open, pool, agent });
    } finally {
      const report = await pool.shutdown();
      assert.deepEqual(report.left, []);
      await api.stop();
      await nothingLeft();
      fs.rmSync(agent.folder, { recursive: true, force: true, maxRetries: 5 });
    }
  });
}

for (const name of ['claude', 'codex']) {
  withAgent(name, 'turns in one warm process, a command that is asked about, a resumed conversation', async ({ open, pool }) => {
    const asked = [];
    const onRequest = (request) => {
      asked.push(request.kind);
      return { answer: 'allow' };
    };
    const shell = name === 'claude' ? 'touch made' : 'touch ../made';
    const risky = name === 'claude' ? { shell } : { shell, with: { sandbox_permissions: 'require_escalated', justification: 'May I?' } };
    const session = await open({ onRequest, ...(name === 'codex' ? { permissionMode: 'accept_edits' } : {}) });
    const turn = session.send(`marker-red ${said(['one ', 'two'])}`);
    const text = (await all(turn)).filter((event) => event.type === 'text_delta').map((event) => event.text);
    assert.match(text.join(''), /one/);
    await session.ask(said(risky, 'done'));
    assert.equal(asked.length, 1, `${asked}`);
    assert.equal(pool.stats().processesStarted, 1);
    const { providerSessionId } = session.snapshot();
    await session.close();
    await whole(session);
    const again = await open({ resume: providerSessionId });
    assert.match((await again.ask(said({ recall: 'marker-' }))).text, /marker-red/);
  });

  withAgent(name, 'a tool of the host gives the model its result', async ({ open }) => {
    const lookup = tool({
      name: 'lookup_ticket',
      description: 'Fetches a ticket.',
      input: z.object({ id: z.string() }),
      run: async ({ id }, { signal }) => `${id} is open, ${signal.aborted}`,
    });
    const session = await open({ tools: [lookup] });
    const call = name === 'claude' ? 'mcp__host__lookup_ticket' : 'lookup_ticket';
    const result = await session.ask(said({ tool: call, input: { id: 'ABC-1' } }, { echo: 'result' }));
    assert.match(result.text, /ABC-1 is open, false/);
  });

  withAgent(name, 'a turn is interrupted, and the next one is whole', async ({ open }) => {
    const session = await open();
    const turn = session.send(said({ words: 2000, delay_ms: 20 }));
    for await (const event of turn) {
      if (event.type === 'text_delta') break;
    }
    assert.equal(await turn.interrupt(), 'delivered');
    await assert.rejects(turn.result(), { code: 'ERR_REMUDA_INTERRUPTED' });
    assert.equal((await session.ask(said('whole'))).text, 'whole');
  });
}

/** What the SDK says of a query. */
async function asked(prompt, { agent, ...options }) {
  const messages = await all(
    query({
      prompt,
      options: {
        cwd: agent.folder,
        env: agent.set,
        pathToClaudeCodeExecutable: agent.program,
        spawnClaudeCodeProcess: options.spawn,
        ...options.more,
      },
    }),
  );
  const result = messages.find((message) => message.type === 'result');
  return { messages, result };
}

withAgent('claude', "the Agent SDK's processes come from the pool, and stay warm for the conversation", async ({ pool, agent }) => {
  const spawn = spawnFrom(pool);
  const first = await asked(`marker-blue ${said('one')}`, { agent, spawn });
  assert.equal(first.result.result, 'one');
  const conversation = first.result.session_id;
  await until('it is kept', () => pool.stats().idle === 1);
  const second = await asked(said({ recall: 'marker-' }), { agent, spawn, more: { resume: conversation } });
  assert.match(second.result.result, /marker-blue/);
  assert.equal(second.result.session_id, conversation);
  assert.equal(pool.stats().warm, 1, 'the same process');
  const other = await asked(said('three'), { agent, spawn, more: { resume: conversation, model: 'claude-opus-5' } });
  assert.equal(other.result.result, 'three');
  assert.equal(pool.stats().warm, 2, 'another launch has its own');
});

withAgent('claude', 'hooks, permissions and streams of the Agent SDK work over the pool', async ({ pool, agent }) => {
  const seen = [];
  async function* prompts() {
    const content = said({ shell: 'touch made' }, 'done');
    yield { type: 'user', message: { role: 'user', content }, parent_tool_use_id: null, session_id: '' };
  }
  const canUseTool = async (name, input) => {
    seen.push(name);
    return { behavior: 'allow', updatedInput: input };
  };
  const spawn = spawnFrom(pool);
  const { messages } = await asked(prompts(), { agent, spawn, more: { canUseTool, includePartialMessages: true } });
  assert.deepEqual(seen, ['Bash']);
  assert.equal(messages.find((message) => message.type === 'result').result, 'done');
  assert.ok(messages.some((message) => message.type === 'stream_event'));
});

withAgent('claude', 'a query of the Agent SDK that is aborted ends its process', async ({ pool, agent }) => {
  const abortController = new AbortController();
  const spawn = spawnFrom(pool);
  const more = { abortController, includePartialMessages: true };
  const options = { cwd: agent.folder, env: agent.set, pathToClaudeCodeExecutable: agent.program };
  const messages = query({
    prompt: said({ words: 2000, delay_ms: 20 }),
    options: { ...options, ...more, spawnClaudeCodeProcess: spawn },
  });
  await assert.rejects(async () => {
    for await (const message of messages) if (message.type === 'stream_event') abortController.abort();
  });
  assert.equal(pool.stats().idle, 0, 'it is not kept');
});
