// Processes that are lent, in the shape of a child process.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

import { spawnFrom } from '../claude-agent-sdk.mjs';
import { agent, all, one, until } from './support.mjs';

one('a program that cannot be started is an error and an end, as of any child', async (scene) => {
  const child = spawnFrom(scene.pool)({ command: '/no/such', args: [], cwd: scene.folder, env: {} });
  const errors = [];
  child.on('error', (error) => errors.push(error.code));
  const exited = new Promise((resolve) => child.once('exit', (...how) => resolve(how)));
  child.stdin.write('{}\n');
  child.stdin.write('{}\n');
  assert.deepEqual(await exited, [1, null]);
  assert.deepEqual(errors, ['ERR_REMUDA_PROGRAM_NOT_FOUND']);
  assert.deepEqual(await all(child.stdout), []);
});

/** Lets a query ask once, and gives this answer. How the process exits for it. */
async function query(scene, prompt, answer) {
  const stdio = ['--input-format', 'stream-json', '--output-format', 'stream-json', '--permission-prompt-tool', 'stdio'];
  const args = ['-p', '--verbose', ...stdio];
  const child = spawnFrom(scene.pool)({ command: agent, args, cwd: scene.folder, env: { PATH: process.env.PATH } });
  const exited = once(child, 'exit');
  const say = (message) => child.stdin.write(`${JSON.stringify(message)}\n`);
  say({ type: 'control_request', request_id: '1', request: { subtype: 'initialize' } });
  say({ type: 'user', message: { role: 'user', content: prompt }, parent_tool_use_id: null, session_id: '' });
  for await (const line of createInterface({ input: child.stdout })) {
    const { type, request_id: id } = JSON.parse(line);
    if (type === 'control_request') {
      say({ type: 'control_response', response: { subtype: 'success', request_id: id, response: answer } });
    }
    if (type === 'result') child.stdin.end();
  }
  return (await exited)[0];
}

one('a process serves the next query, unless this one allowed something for good', async (scene) => {
  const ask = '[[ask Bash "ls" 0]]';
  const allow = { behavior: 'allow', updatedInput: {} };
  assert.equal(await query(scene, ask, allow), 0);
  assert.equal(scene.pool.stats().idle, 1);
  const updatedPermissions = [{ type: 'setMode', mode: 'acceptEdits', destination: 'session' }];
  assert.equal(await query(scene, ask, { ...allow, updatedPermissions }), 0);
  await until('the second has ended', () => scene.pool.stats().warm === 1);
  assert.equal(scene.pool.stats().idle, 1);
});
