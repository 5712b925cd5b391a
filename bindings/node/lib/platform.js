'use strict';
// What this platform is called in the names of packages.

const fs = require('node:fs');

/** The C library of a Linux. */
function libc() {
  const report = process.report?.getReport?.();
  if (report?.header?.glibcVersionRuntime) return 'gnu';
  return fs.existsSync('/etc/alpine-release') ? 'musl' : 'gnu';
}

/** `linux-x64-gnu`, `darwin-arm64`, `win32-x64-msvc`. */
function platform() {
  const { arch } = process;
  if (process.platform === 'linux') return `linux-${arch}-${libc()}`;
  if (process.platform === 'win32') return `win32-${arch}-msvc`;
  return `${process.platform}-${arch}`;
}

module.exports = { platform };
