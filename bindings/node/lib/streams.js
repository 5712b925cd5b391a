'use strict';
// Other shapes of the same iterator.

const { EventEmitter } = require('node:events');
const { ReadableStream } = require('node:stream/web');

/** A web stream that reads the iterator when it is read itself. */
function readable(iterator) {
  return new ReadableStream(
    {
      async pull(controller) {
        const { value, done } = await iterator.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        await iterator.return();
      },
    },
    { highWaterMark: 0 },
  );
}

/** An emitter of every event by its type, and as `event`; then `end`, or `error`. */
function emitter(iterator) {
  const out = new EventEmitter();
  const run = async () => {
    // Listeners are added before anything is told.
    await null;
    for (;;) {
      const { value, done } = await iterator.next();
      if (done) break;
      raised(() => out.emit('event', value));
      raised(() => out.emit(value.type, value));
    }
    raised(() => out.emit('end'));
  };
  run().catch((error) => {
    if (out.listenerCount('error') > 0) raised(() => out.emit('error', error));
  });
  out.stop = () => void iterator.return();
  return out;
}

/** What a listener throws is the host's own, as with every emitter. */
function raised(emit) {
  try {
    emit();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

module.exports = { readable, emitter };
