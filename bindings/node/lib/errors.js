'use strict';
// Errors: a code to act on, a message to read.

const { codes } = require('./generated.js');

const known = new Set(codes);

/** A refused call, or a turn that did not end well. */
class RemudaError extends Error {
  constructor(kind, message, options) {
    super(message, options);
    this.name = 'RemudaError';
    /** The kind as it stands in events: `closed`. */
    this.kind = kind;
    /** `ERR_REMUDA_` and the kind. */
    this.code = `ERR_REMUDA_${kind.toUpperCase()}`;
  }
}

/** A turn that failed. */
class TurnFailedError extends RemudaError {
  constructor(failure, result) {
    super(failure.code, failure.message);
    this.name = 'TurnFailedError';
    /** Why: the code, the message, how the process ended, its last words. */
    this.failure = failure;
    /** What the turn gave until then. */
    this.result = result;
  }
}

/** A turn that was interrupted. */
class TurnInterruptedError extends RemudaError {
  constructor(result) {
    super('interrupted', 'the turn was interrupted');
    this.name = 'TurnInterruptedError';
    /** What the turn gave until then. */
    this.result = result;
  }
}

/** Makes an error of ours of what the native half threw. */
function translated(error) {
  if (!known.has(error?.code)) return error;
  return new RemudaError(error.code, error.message);
}

/** Calls the native half. */
function attempt(call) {
  try {
    return call();
  } catch (error) {
    throw translated(error);
  }
}

/** For what a host gave and no type of the library sees. */
function invalid(message) {
  return new RemudaError('invalid_argument', message);
}

module.exports = { RemudaError, TurnFailedError, TurnInterruptedError, attempt, invalid };
