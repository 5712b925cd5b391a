'use strict';
// Finds and loads the native half: beside this package when it was built here, else in the package of the platform.

const fs = require('node:fs');
const path = require('node:path');

/** The names of the C library that a Linux may have, as platforms are named. */
function libc() {
  const report = process.report?.getReport?.();
  if (report?.header?.glibcVersionRuntime) return 'gnu';
  return fs.existsSync('/etc/alpine-release') ? 'musl' : 'gnu';
}

/** What this platform is called in the names of packages: `linux-x64-gnu`. */
function platform() {
  const { arch } = process;
  if (process.platform === 'linux') return `linux-${arch}-${libc()}`;
  if (process.platform === 'win32') return `win32-${arch}-msvc`;
  return `${process.platform}-${arch}`;
}

function load() {
  const name = platform();
  const own = path.join(__dirname, '..', `remuda.${name}.node`);
  const foreign = `@remuda/${name}`;
  if (fs.existsSync(own)) return require(own);
  try {
    return require(foreign);
  } catch (cause) {
    const message =
      `remuda has no native half for ${name}: ${foreign} is not installed, and ${own} was not built. ` +
      'Installers leave it out when optional dependencies are off; from the sources, `npm run build` makes it.';
    throw Object.assign(new Error(message, { cause }), { code: 'ERR_REMUDA_NO_NATIVE' });
  }
}

module.exports = { native: load(), platform };
