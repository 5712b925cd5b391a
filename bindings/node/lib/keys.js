'use strict';
// Ways into objects that only this package knows.

/** Of a pool: what comes from the native half, and how it is called. */
exports.CORE = Symbol('core');
