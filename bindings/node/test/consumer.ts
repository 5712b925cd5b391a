// A host in TypeScript, strictly: it compiles, and what it gets wrong on purpose does not.

import { spawnFrom } from 'remuda/claude-agent-sdk';
import { capabilities, Pool, RemudaError, tool, TurnFailedError, type Event, type Session } from 'remuda';
import * as z from 'zod';

async function host(): Promise<void> {
  await using pool = new Pool({ maxWarm: 5, idleTimeoutMs: 1000, whenFull: { wait: { timeoutMs: 5 } } });
  await using session = await pool.open('claude', {
    cwd: '.',
    onRequest: async (request) => (request.kind === 'command_approval' ? { answer: 'allow' } : undefined),
    tools: [
      tool({ name: 'add', input: z.object({ a: z.number() }), run: ({ a }) => a + 1 }),
      { name: 'plain', run: (input: unknown) => input },
    ],
    mcpServers: { files: { stdio: { command: 'files', args: [] } } },
  });
  for await (const event of session.send('x', { signal: AbortSignal.timeout(10), onBusy: 'steer' })) heard(event);
  for await (const use of session.events({ types: ['tool_use'] })) use.title.trim();
  const result = await session.ask({ text: 'x', attachments: [{ bytes: new Uint8Array(1), mediaType: 'image/png' }] });
  result.usage?.inputTokens.toFixed();
  session.emitter().on('message', (message) => message.text.trim());
  await refused(session);
  const { requests, nextSeq } = session.snapshot();
  requests[0]?.decisions.includes('deny');
  nextSeq.toFixed();
  capabilities('claude').resume.oneShot.valueOf();
  (await pool.doctor()).agents[0]?.login.trim();
  spawnFrom(pool);
  using hold = session.hold();
  hold.release();
  // @ts-expect-error names are in camelCase
  new Pool({ max_warm: 1 });
  // @ts-expect-error there is no such answer
  await session.answer(1, { answer: 'maybe' });
  // @ts-expect-error there is no such kind
  session.events({ types: ['text'] });
}

function heard(event: Event): string {
  switch (event.type) {
    case 'text_delta':
      return event.text;
    case 'turn_completed':
      return event.result.durationMs.toFixed();
    case 'turn_failed':
      return event.failure.code;
    default:
      // @ts-expect-error not every event has a text
      return event.text;
  }
}

async function refused(session: Session): Promise<void> {
  try {
    await session.change({ model: 'x' });
  } catch (error) {
    if (error instanceof TurnFailedError) error.failure.message.trim();
    else if (error instanceof RemudaError && error.code === 'ERR_REMUDA_CLOSED') throw error;
    // @ts-expect-error there is no such code
    else if (error instanceof RemudaError && error.code === 'ERR_REMUDA_NOTHING') throw error;
  }
}

void host;
