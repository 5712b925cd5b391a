'use strict';

const { Pool } = require('./lib/pool.js');
const { Session, Hold } = require('./lib/session.js');
const { Turn } = require('./lib/turn.js');
const { tool } = require('./lib/tool.js');
const { RemudaError, TurnFailedError, TurnInterruptedError, attempt } = require('./lib/errors.js');
const { native } = require('./lib/native.js');
const { camel } = require('./lib/names.js');

/** What a provider's agent can do, in a warm and in a one-shot process; without a name, of all. */
function capabilities(provider) {
  return camel(JSON.parse(attempt(() => native.nativeCapabilities(provider))));
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
