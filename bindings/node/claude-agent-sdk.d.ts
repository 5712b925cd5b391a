/// <reference types="node" />

import type { ChildProcess } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import type { Pool } from './index.js';

/** What the SDK asks for. */
export interface SpawnOptions {
  command: string;
  args: string[];
  cwd?: string;
  env: { [name: string]: string | undefined };
  signal: AbortSignal;
}

/** What the SDK gets. */
export interface SpawnedProcess extends Pick<ChildProcess, 'on' | 'once' | 'off'> {
  stdin: Writable;
  stdout: Readable;
  readonly pid: number | undefined;
  readonly killed: boolean;
  readonly exitCode: number | null;
  readonly signalCode: NodeJS.Signals | null;
  kill(signal?: NodeJS.Signals): boolean;
}

/**
 * Makes `spawnClaudeCodeProcess` for `@anthropic-ai/claude-agent-sdk`: processes come from the pool, count in it, and
 * end with it. One that the SDK is done with stays warm for its conversation: a query with the same options that resumes it
 * gets it, and starts at once.
 */
export declare function spawnFrom(pool: Pool): (options: SpawnOptions) => SpawnedProcess;
