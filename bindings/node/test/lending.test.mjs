// Processes that are lent, in the shape of a child process.

import assert from 'node:assert/strict';

import { spawnFrom } from '../claude-agent-sdk.mjs';
import { all, one } from './support.mjs';

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
