'use strict';
// Members are named in camelCase here and in snake_case in the library's JSON. What an agent or a host said (raw JSON,
// names of variables, labels) is passed as it is; the words in values are the same everywhere.

const { opaque } = require('./generated.js');

/** Members whose content is not ours, by either name. */
const foreign = new Set(opaque.flatMap((name) => [name, toCamel(name)]));
const camels = new Map();
const snakes = new Map();

function toCamel(name) {
  return name.replace(/_([a-z0-9])/g, (_, letter) => letter.toUpperCase());
}

function toSnake(name) {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function known(name, names, convert) {
  let other = names.get(name);
  if (other === undefined) {
    other = convert(name);
    // Names of ours are few; those of a host's mistakes are not kept.
    if (names.size < 1024) names.set(name, other);
  }
  return other;
}

function renamed(value, names, convert) {
  if (Array.isArray(value)) return value.map((item) => renamed(item, names, convert));
  if (value === null || typeof value !== 'object') return value;
  const out = {};
  for (const name of Object.keys(value)) {
    const item = value[name];
    out[known(name, names, convert)] = foreign.has(name) ? item : renamed(item, names, convert);
  }
  return out;
}

/** What the library gave, with names of JavaScript. */
const camel = (value) => renamed(value, camels, toCamel);

/** What a host gave, with the names of the library. */
const snake = (value) => renamed(value, snakes, toSnake);

module.exports = { camel, snake, toCamel };
