// The package as others get it: packed, linked, and for each platform apart.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { agent } from './support.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const own = path.join(here, '..');
const { platform } = createRequire(import.meta.url)('../lib/platform.js');
const tools = path.join(here, 'node_modules/.bin');
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'remuda-node-'));
after(() => fs.rmSync(folder, { recursive: true, force: true }));

/** Runs a program that must go well. */
async function run(program, args, options) {
  try {
    return await promisify(execFile)(program, args, { maxBuffer: 1 << 26, ...options });
  } catch (error) {
    return assert.fail(`${program} ${args.join(' ')}\n${error.stdout}\n${error.stderr}`);
  }
}

const npm = (args, cwd) => run('npm', [...args, '--no-audit', '--no-fund', '--offline'], { cwd });

/** Packs a folder, and gives the archive. */
async function packed(of) {
  const { stdout } = await npm(['pack', '--json', '--ignore-scripts', '--pack-destination', folder, of], folder);
  const said = JSON.parse(stdout);
  const { filename, files } = Array.isArray(said) ? said[0] : Object.values(said)[0];
  return { archive: path.join(folder, path.basename(filename)), files: files.map((file) => file.path) };
}

/** An empty project. */
function empty(name) {
  const project = path.join(folder, name);
  fs.mkdirSync(project);
  fs.writeFileSync(path.join(project, 'package.json'), '{"name": "consumer", "private": true}');
  return project;
}

const QUICK = `
const session = await pool.open('claude', { program: process.argv[2], cwd: '.' });
const texts = [];
for await (const event of session.send('hello')) if (event.type === 'text_delta') texts.push(event.text);
console.log(texts.join(''));
console.log((await pool.shutdown()).left);
`;

/** It works from \`require\` and from \`import\`. */
async function works(project) {
  fs.writeFileSync(path.join(project, 'a.mjs'), `import { Pool } from 'remuda';\nconst pool = new Pool();\n${QUICK}`);
  const body = `const { Pool } = require('remuda');\nconst pool = new Pool();\nvoid (async () => {${QUICK}})();`;
  fs.writeFileSync(path.join(project, 'b.cjs'), body);
  for (const file of ['a.mjs', 'b.cjs']) {
    const { stdout } = await run(process.execPath, [file, agent], { cwd: project });
    assert.equal(stdout, 'You said: hello\n[]\n');
  }
}

test('the packed package has these files, installs without a script, and works', async () => {
  const { archive, files } = await packed(own);
  const wanted = ['README.md', 'bin/remuda.js', 'index.d.mts', 'index.d.ts', 'index.js', 'index.mjs', `remuda.${platform()}.node`];
  for (const file of wanted) assert.ok(files.includes(file), file);
  assert.deepEqual(files.filter((file) => /^(src|test|scripts|dist)\/|Cargo|node_modules/.test(file)), []);
  const project = empty('packed');
  await npm(['install', '--ignore-scripts', archive], project);
  await works(project);
  const { stdout } = await run(path.join(project, 'node_modules/.bin/remuda'), ['doctor', '--json']);
  const doctor = JSON.parse(stdout);
  assert.ok(doctor.agents.some((of) => of.provider === 'claude'));
  assert.equal(doctor.containment, 'guard');
});

test('the folder of the sources installs in an empty project, and works', async () => {
  const project = empty('linked');
  await npm(['install', own], project);
  await works(project);
});

test('the packages of the platforms work together', async () => {
  await run(process.execPath, [path.join(own, 'scripts/assemble.mjs')]);
  const dist = path.join(own, 'dist');
  const [main, half] = [await packed(path.join(dist, 'remuda')), await packed(path.join(dist, platform()))];
  assert.ok(!main.files.some((file) => file.endsWith('.node')));
  const manifest = JSON.parse(fs.readFileSync(path.join(dist, 'remuda/package.json'), 'utf8'));
  assert.equal(manifest.optionalDependencies[`@remuda/${platform()}`], manifest.version);
  assert.equal(manifest.scripts, undefined);
  const project = empty('platforms');
  await npm(['install', '--omit=optional', main.archive], project);
  const broken = await promisify(execFile)(process.execPath, ['-e', "require('remuda')"], { cwd: project }).catch((e) => e);
  assert.match(broken.stderr, new RegExp(`no native half for ${platform()}`));
  await npm(['install', '--omit=optional', main.archive, half.archive], project);
  await works(project);
});

test('its version is that of the library', () => {
  const { version } = JSON.parse(fs.readFileSync(path.join(own, 'package.json'), 'utf8'));
  assert.equal(createRequire(import.meta.url)('../index.js').version, version);
});

test('publint and attw find nothing', async () => {
  const { archive } = await packed(own);
  await run(path.join(tools, 'publint'), ['run', archive, '--strict'], { cwd: own });
  await run(path.join(tools, 'attw'), [archive, '--profile', 'node16']);
});

test('a strict host in TypeScript compiles, as a module and as CommonJS', async () => {
  const options = ['--strict', '--noEmit', '--module', 'nodenext', '--target', 'es2022', '--lib', 'es2023', '--types', 'node'];
  const strict = [...options, '--exactOptionalPropertyTypes', '--noUncheckedIndexedAccess', '--preserveSymlinks'];
  const project = empty('typed');
  const modules = path.join(project, 'node_modules');
  fs.mkdirSync(modules);
  fs.symlinkSync(own, path.join(modules, 'remuda'));
  for (const name of ['@types', 'zod', 'undici-types']) {
    const from = path.join(here, 'node_modules', name);
    if (fs.existsSync(from)) fs.symlinkSync(from, path.join(modules, name));
  }
  for (const name of ['consumer.mts', 'consumer.cts']) fs.copyFileSync(path.join(here, 'consumer.ts'), path.join(project, name));
  await run(path.join(tools, 'tsc'), [...strict, 'consumer.mts', 'consumer.cts'], { cwd: project });
});

test('what is declared is there, and what is there is declared', async () => {
  const declared = fs.readFileSync(path.join(own, 'index.d.ts'), 'utf8');
  const exported = Object.keys(createRequire(import.meta.url)('../index.js'));
  const names = [...declared.matchAll(/^export declare (?:class|function|const) (\w+)/gm)].map(([, name]) => name);
  assert.deepEqual([...new Set(names)].sort(), exported.sort());
  const classes = createRequire(import.meta.url)('../index.js');
  for (const name of ['Pool', 'Session', 'Turn', 'Hold']) {
    const body = declared.match(new RegExp(`^export declare class ${name}\\b[^{]*\\{(.*?)^\\}`, 'ms'))[1];
    const members = Object.getOwnPropertyNames(classes[name].prototype).filter((of) => !/^constructor$/.test(of));
    const hidden = name === 'Turn' ? ['follow'] : [];
    for (const member of members.filter((of) => !hidden.includes(of))) {
      assert.match(body, new RegExp(`\\b${member}\\b`), `${name}.${member}`);
    }
  }
});
