'use strict';

const { Pool } = require('./lib/pool.js');
const { Session, Hold } = require('./lib/session.js');
const { Turn } = require('./lib/turn.js');
const { tool } = require('./lib/tool.js');
const { RemudaError, TurnFailedError, TurnInterruptedError, attempt } = require('./lib/errors.js');
const { native } = require('./lib/native.js');
const { camel } = require('./lib/names.js');

const mapped = (object, of) => Object.fromEntries(Object.entries(object).map(([name, value]) => [name, of(value)]));

/** The names of features are words, and stay as they are. */
const supports = (features) => mapped(features, camel);

/** What a provider's agent can do, in a warm and in a one-shot process; without a name, of all. */
function capabilities(provider) {
  const given = JSON.parse(attempt(() => native.nativeCapabilities(provider)));
  return provider == null ? mapped(given, supports) : supports(given);
}

const version = native.nativeVersion();

module.exports = {
  Pool,
  Session,
  Turn,
  Hold,
  tool,
  capabilities,
  version,
  RemudaError,
  TurnFailedError,
  TurnInterruptedError,
};
