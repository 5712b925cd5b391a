import sdk from './claude-agent-sdk.js';

export const { spawnFrom } = sdk;
