// Runs every test file, and gives the runner's own summary. Arguments go to the runner.

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = path.join(path.dirname(path.dirname(fileURLToPath(import.meta.url))), 'test');
const files = fs.readdirSync(folder).filter((file) => file.endsWith('.test.mjs')).sort();
// What measures how long the event loop is held up runs alone.
const [alone, others] = [files.filter((file) => file === 'delivery.test.mjs'), files.filter((file) => file !== 'delivery.test.mjs')];

/** No test waits for so long; one that does is a bug, and is named. */
const TIMEOUT_MS = 180_000;

function run(some, concurrency) {
  const flags = ['--expose-gc', '--test', `--test-timeout=${TIMEOUT_MS}`, `--test-concurrency=${concurrency}`, '--test-reporter=spec'];
  const all = [...flags, ...process.argv.slice(2), ...some.map((file) => path.join(folder, file))];
  return spawnSync(process.execPath, all, { stdio: 'inherit' }).status ?? 1;
}

process.exitCode = Math.max(run(others, 2), run(alone, 1));
