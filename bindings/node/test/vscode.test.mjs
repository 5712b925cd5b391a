// The example of an extension for VS Code: it has right types, is bundled, and its chat works without VS Code.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

import { build } from 'esbuild';

import { agent, one, root, until } from './support.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const example = path.join(root, 'examples/vscode');

/** The example with its packages, as an installation would lay it out. */
function installed(folder) {
  const copy = path.join(folder, 'vscode');
  fs.cpSync(example, copy, { recursive: true, filter: (file) => !/node_modules|dist$/.test(file) });
  const modules = path.join(copy, 'node_modules');
  fs.mkdirSync(modules);
  fs.symlinkSync(path.join(here, '..'), path.join(modules, 'remuda'));
  for (const name of ['@types', 'esbuild', 'undici-types']) {
    const from = path.join(here, 'node_modules', name);
    if (fs.existsSync(from)) fs.symlinkSync(from, path.join(modules, name));
  }
  return copy;
}

one('the extension has right types, and its bundle leaves the native package outside', async (scene) => {
  const copy = installed(scene.folder);
  const tsc = path.join(here, 'node_modules/.bin/tsc');
  await promisify(execFile)(tsc, ['--preserveSymlinks'], { cwd: copy }).catch(({ stdout }) => assert.fail(stdout));
  await promisify(execFile)(process.execPath, ['esbuild.mjs'], { cwd: copy });
  const bundle = fs.readFileSync(path.join(copy, 'dist/extension.js'), 'utf8');
  assert.match(bundle, /require\("remuda"\)/);
  assert.doesNotMatch(bundle, /ERR_REMUDA_NO_NATIVE/);
});

/** The chat, and what it has shown. */
async function chat(scene) {
  const outfile = path.join(scene.folder, 'chat.mjs');
  await build({ entryPoints: [path.join(example, 'src/chat.ts')], outfile, bundle: true, format: 'esm', platform: 'node', external: ['remuda'] });
  const { Chat } = await import(pathToFileURL(outfile));
  const shown = [];
  const options = scene.options();
  const place = { provider: 'claude', ...options, program: agent };
  return { chat: new Chat(scene.pool, place, (of) => shown.push(of)), shown };
}

one('the chat streams what the agent says, and its problems', async (scene) => {
  const { chat: of, shown } = await chat(scene);
  await of.hear({ say: 'send', text: 'hello' });
  const text = shown.filter((one) => one.show === 'text').map((one) => one.text);
  assert.equal(text.join(''), 'You said: hello');
  assert.deepEqual(shown.at(-1), { show: 'end', problem: null });
  await of.hear({ say: 'send', text: '[[model-error 500]]' });
  assert.match(shown.at(-1).problem, /500/);
  await of.close();
  await of.hear({ say: 'send', text: 'too late' });
  assert.match(shown.at(-1).problem, /closed/);
});

one('stop ends the turn that runs, and what waits', async (scene) => {
  const { chat: of, shown } = await chat(scene);
  const running = of.hear({ say: 'send', text: '[[say here]] [[hang]]' });
  await until('it runs', () => shown.length > 0);
  const waiting = of.hear({ say: 'send', text: 'never' });
  await of.hear({ say: 'stop' });
  await Promise.all([running, waiting]);
  const ends = shown.filter((one) => one.show === 'end');
  assert.deepEqual(ends, Array(2).fill({ show: 'end', problem: 'stopped' }));
});

one('the chat asks the user, and takes a question back that nobody wants answered', async (scene) => {
  const { chat: of, shown } = await chat(scene);
  const asked = () => shown.filter((one) => one.show === 'question');
  const turn = of.hear({ say: 'send', text: '[[ask Bash "ls" 0]] [[say done]]' });
  const [question] = await until('it is asked', () => asked().length === 1 && asked());
  assert.equal(question.title, 'ls');
  await of.hear({ say: 'answer', request: question.request, allow: true });
  await turn;
  assert.ok(shown.some((one) => one.show === 'text' && one.text === 'done'));
  const other = of.hear({ say: 'send', text: '[[ask Bash "rm" 0]]' });
  await until('it is asked', () => asked().length === 2);
  await of.hear({ say: 'stop' });
  await other;
  assert.deepEqual(shown.at(-1), { show: 'end', problem: 'stopped' });
  await until('it is taken back', () => shown.filter((one) => one.show === 'answered').length === 2);
});
