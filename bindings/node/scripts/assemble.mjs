// Lays out what is published, in `dist/`: the package without a native half, and a package for each platform whose
// native half was built (`remuda.<platform>.node` here). CI builds each on its own system, collects them, and runs this.
//
//   node scripts/assemble.mjs [--check]     --check: every platform must be there

import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const own = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const dist = path.join(own, 'dist');
const main = JSON.parse(fs.readFileSync(path.join(own, 'package.json'), 'utf8'));

/** What each platform is for npm, and for Cargo. */
export const PLATFORMS = {
  'linux-x64-gnu': { os: 'linux', cpu: 'x64', libc: 'glibc', target: 'x86_64-unknown-linux-gnu' },
  'linux-arm64-gnu': { os: 'linux', cpu: 'arm64', libc: 'glibc', target: 'aarch64-unknown-linux-gnu' },
  'linux-x64-musl': { os: 'linux', cpu: 'x64', libc: 'musl', target: 'x86_64-unknown-linux-musl' },
  'linux-arm64-musl': { os: 'linux', cpu: 'arm64', libc: 'musl', target: 'aarch64-unknown-linux-musl' },
  'darwin-x64': { os: 'darwin', cpu: 'x64', target: 'x86_64-apple-darwin' },
  'darwin-arm64': { os: 'darwin', cpu: 'arm64', target: 'aarch64-apple-darwin' },
  'win32-x64-msvc': { os: 'win32', cpu: 'x64', target: 'x86_64-pc-windows-msvc' },
  'win32-arm64-msvc': { os: 'win32', cpu: 'arm64', target: 'aarch64-pc-windows-msvc' },
};

const SHARED = ['license', 'repository', 'engines', 'version'];

function write(folder, manifest) {
  fs.writeFileSync(path.join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  for (const licence of ['LICENSE-MIT', 'LICENSE-APACHE']) {
    fs.copyFileSync(path.join(own, '../..', licence), path.join(folder, licence));
  }
  const others = path.join(own, 'THIRD-PARTY');
  if (fs.existsSync(others)) fs.copyFileSync(others, path.join(folder, 'THIRD-PARTY'));
}

/** The package of one platform. */
function platform(name, { os, cpu, libc }) {
  const file = `remuda.${name}.node`;
  const folder = path.join(dist, name);
  fs.mkdirSync(folder, { recursive: true });
  fs.copyFileSync(path.join(own, file), path.join(folder, file));
  fs.writeFileSync(path.join(folder, 'README.md'), `The native half of [remuda](https://www.npmjs.com/package/remuda) for ${name}.\n`);
  const shared = Object.fromEntries(SHARED.map((key) => [key, main[key]]));
  write(folder, {
    name: `@remuda/${name}`,
    description: `The native half of remuda for ${name}`,
    ...shared,
    os: [os],
    cpu: [cpu],
    ...(libc ? { libc: [libc] } : {}),
    main: file,
    files: [file, 'THIRD-PARTY', 'LICENSE-*'],
  });
}

/** The package itself, which names them all. */
function itself() {
  const folder = path.join(dist, 'remuda');
  fs.mkdirSync(folder, { recursive: true });
  for (const file of [...main.files, 'README.md']) {
    if (file.includes('*') || !fs.existsSync(path.join(own, file))) continue;
    fs.cpSync(path.join(own, file), path.join(folder, file), { recursive: true });
  }
  const { scripts, ...rest } = main;
  const files = main.files.filter((file) => !file.endsWith('.node'));
  const optionalDependencies = Object.fromEntries(Object.keys(PLATFORMS).map((name) => [`@remuda/${name}`, main.version]));
  write(folder, { ...rest, files: [...files, 'LICENSE-*'], optionalDependencies });
}

fs.rmSync(dist, { recursive: true, force: true });
const missing = [];
for (const [name, facts] of Object.entries(PLATFORMS)) {
  if (fs.existsSync(path.join(own, `remuda.${name}.node`))) platform(name, facts);
  else missing.push(name);
}
itself();
if (missing.length > 0 && process.argv.includes('--check')) throw new Error(`not built: ${missing.join(', ')}`);
console.log(dist);
