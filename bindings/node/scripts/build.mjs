// Builds the native half with Cargo and puts it beside the package, under the name that it is looked for.
//
// It runs as `prepare`: when the folder is installed, linked or packed, and never where the packed package is installed.
// `REMUDA_NODE_PROFILE` names another profile of Cargo than `release`.

import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, renameSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const own = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const root = path.dirname(path.dirname(own));
const { platform } = createRequire(import.meta.url)('../lib/platform.js');

/** The file that Cargo makes. */
function library() {
  if (process.platform === 'win32') return 'remuda_node.dll';
  return process.platform === 'darwin' ? 'libremuda_node.dylib' : 'libremuda_node.so';
}

function build() {
  const profile = process.env.REMUDA_NODE_PROFILE ?? 'release';
  const flags = ['build', '--package', 'remuda-node', '--profile', profile, '--message-format', 'json-render-diagnostics'];
  const target = process.env.REMUDA_NODE_TARGET;
  if (target) flags.push('--target', target);
  const said = execFileSync('cargo', flags, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'inherit'] });
  const made = said
    .split('\n')
    .filter((line) => line.includes('compiler-artifact') && line.includes('remuda_node'))
    .flatMap((line) => JSON.parse(line).filenames);
  const file = made.find((name) => path.basename(name) === library());
  if (!file) throw new Error(`cargo made no ${library()}`);
  const to = path.join(own, `remuda.${process.env.REMUDA_NODE_PLATFORM ?? platform()}.node`);
  // Whoever has loaded the old one keeps it.
  copyFileSync(file, `${to}.new`);
  renameSync(`${to}.new`, to);
  console.log(to);
}

const sources = existsSync(path.join(own, 'Cargo.toml')) && existsSync(path.join(root, 'core', 'Cargo.toml'));
if (sources) build();
else if (!process.argv.includes('--if-sources')) throw new Error('the sources of the library are not here');
