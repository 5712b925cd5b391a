'use strict';
// Finds and loads the native half: beside this package when it was built here, else in the package of the platform.

const fs = require('node:fs');
const path = require('node:path');

const { platform } = require('./platform.js');

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

module.exports = { native: load() };
