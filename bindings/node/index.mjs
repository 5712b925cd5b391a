// The same objects as `require` gives: there is one copy of the package's state, whichever way it is loaded.
import remuda from './index.js';

export const {
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
} = remuda;
export default remuda;
