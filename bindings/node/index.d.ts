/// <reference types="node" />
/// <reference lib="esnext.disposable" />

import type { EventEmitter } from 'node:events';
import type { ReadableStream } from 'node:stream/web';
import type {
  Answer,
  Change,
  Changed,
  Doctor,
  ErrorCode,
  ErrorKind,
  Event,
  Failure,
  Feature,
  InterruptOptions,
  Json,
  Message,
  Operation,
  PoolOptions,
  PoolStats,
  Receipt,
  RequestOpenedEvent,
  SendOptions,
  SessionOptions,
  SessionSnapshot,
  Shutdown,
  Support,
  TurnResult,
} from './lib/types.js';
import type { JsonSchema, StandardSchema, Tool, ToolOptions } from './lib/tool-types.js';

export type * from './lib/types.js';
export type * from './lib/tool-types.js';

/** What is given with a call that may be called off. */
export interface Cancellable {
  /** Whoever waits stops waiting when it is aborted, and gets its reason. */
  signal?: AbortSignal;
}

/** What became of a message. */
export type Sent =
  /** It runs. */
  | { sent: 'started'; turn: number }
  /** It waits, behind so many others; `why` it did not join the running turn, if that was wanted. */
  | { sent: 'queued'; turn: number; position: number; why: string | null }
  /** It joined this turn, and has no end of its own. `seq`: an event before the end of that turn. */
  | { sent: 'steered'; into: number; seq: number };

/** Decides a question of the agent. `undefined` is a no. */
export type RequestHandler = (
  request: RequestOpenedEvent,
  context: RequestContext,
) => Answer | undefined | void | Promise<Answer | undefined | void>;

/** What a handler is told beside the question. */
export interface RequestContext {
  session: Session;
  request: RequestOpenedEvent;
  /** Aborted when nobody wants the answer any more: the deadline passed, the agent took the question back, the turn ended. */
  signal: AbortSignal;
}

/** How a session is opened. */
export interface OpenOptions extends Omit<SessionOptions, 'provider'>, Cancellable {
  /** Decides the agent's questions. With it, or with tools, `requests` is `host` unless you say otherwise. */
  onRequest?: RequestHandler;
  /** Told of what a handler or a tool threw, and of an answer that the question does not take. The agent was told no, or that the tool failed. */
  onHandlerError?: (error: unknown, request: RequestOpenedEvent) => void;
}

/** Which events are read. */
export interface EventsOptions<T extends Event['type'] = Event['type']> extends Cancellable {
  /** The first `seq`. Default: 1, the session's first event. */
  from?: number;
  /** Only these. The others do not reach JavaScript. */
  types?: readonly T[];
  /** Waiting for events does not keep the process alive. Default: it does. */
  quiet?: boolean;
}

/** An emitter of events by their type, and of every event as `event`; then `end`, or `error`. */
export interface SessionEmitter extends EventEmitter {
  on<T extends Event['type']>(type: T, listener: (event: Extract<Event, { type: T }>) => void): this;
  on(type: 'event', listener: (event: Event) => void): this;
  on(type: 'end', listener: () => void): this;
  on(type: 'error', listener: (error: Error) => void): this;
  on(type: string | symbol, listener: (...args: any[]) => void): this;
  /** Reads no more. */
  stop(): void;
}

/** A bounded herd of warm agent processes, and the sessions that use them. */
export declare class Pool {
  /** Makes a pool. Starts no process. */
  constructor(options?: PoolOptions);
  /** Opens a session. Starts no process: the first turn does. `cwd` is the host's own directory unless you name one. */
  open(provider: string, options?: OpenOptions): Promise<Session>;
  open(options: OpenOptions & { provider: string }): Promise<Session>;
  /** The pool's numbers at this moment. */
  stats(): PoolStats;
  /** The options that are in force. */
  get options(): Required<PoolOptions>;
  /** Keeps the process alive, also while nobody waits for anything. */
  ref(): this;
  /** The process ends when nobody waits for anything. So it is from the beginning. */
  unref(): this;
  /** What is installed on this machine, and how well it works. Programs that do not say their version within `timeoutMs` (5 s) are reported. */
  doctor(options?: { timeoutMs?: number } & Cancellable): Promise<Doctor>;
  /** Closes every session and ends every process, gently until `deadlineMs` (10 s), then not. Says what is left. */
  shutdown(options?: { deadlineMs?: number } & Cancellable): Promise<Shutdown>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** One conversation with an agent. It outlives the agent's processes. */
export declare class Session {
  private constructor();
  /** The session's number. */
  readonly id: number;
  /**
   * Sends a message. It is refused at once, by throwing, or accepted; two things are known only later, by
   * `turn.accepted` and by whatever else is asked of the turn: whether a message joins the running turn
   * (`onBusy: 'steer'`), and whether a file can be attached. What is sent while that file is read waits behind it,
   * and is accepted or refused later, too.
   */
  send(message: string | Message, options?: SendOptions & Cancellable): Turn;
  /** Sends a message and waits for the result. */
  ask(message: string | Message, options?: SendOptions & Cancellable): Promise<TurnResult>;
  /** The session's events from a `seq` on, then live, until it is closed. */
  events<T extends Event['type'] = Event['type']>(
    options?: EventsOptions<T>,
  ): AsyncIterableIterator<Extract<Event, { type: T }>>;
  /** The events as an emitter. */
  emitter(options?: EventsOptions): SessionEmitter;
  /** The events as a web stream. */
  readable(options?: EventsOptions): ReadableStream<Event>;
  /** Ends the turn that runs, the host's or the agent's own, or that waits. Says what became of that. */
  interrupt(turn: number, options?: InterruptOptions & Cancellable): Promise<Receipt>;
  /** Answers a question of the agent, once. */
  answer(request: number, answer: Answer, options?: Cancellable): Promise<void>;
  /** Changes settings. Says when they hold. */
  change(change: Change, options?: Cancellable): Promise<Changed>;
  /** Does something with the conversation beside talking. Gives what the agent says, as it says it. */
  operate(operation: Operation | Operation['operation'], options?: Cancellable): Promise<Json>;
  /** Puts another message in the place of a waiting one. */
  edit(turn: number, message: string | Message, options?: Cancellable): Promise<void>;
  /** Takes a waiting message out of the queue. Its turn ends as interrupted. */
  cancel(turn: number): void;
  /** Keeps the session's process from eviction until it is released. */
  hold(): Hold;
  /** What the session is at this moment. */
  snapshot(): SessionSnapshot;
  /** The options that it was opened with. */
  get options(): SessionOptions;
  /** Closes the session. Gives the processes that are left, by pid: none, where everything ended. */
  close(options?: Cancellable): Promise<number[]>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** An accepted message and everything until its one end: an async iterator of its events, the end included. */
export declare class Turn implements AsyncIterableIterator<Event> {
  private constructor();
  /** The turn's number; `null` until it is known whether the message is accepted. */
  get id(): number | null;
  get session(): Session;
  /** What became of the message. */
  get accepted(): Promise<Sent>;
  next(): Promise<IteratorResult<Event>>;
  return(value?: unknown): Promise<IteratorResult<Event>>;
  throw(error?: unknown): Promise<IteratorResult<Event>>;
  [Symbol.asyncIterator](): this;
  /** Waits for the end, whoever reads the events. A `TurnFailedError` or `TurnInterruptedError` has what the turn gave. */
  result(options?: Cancellable): Promise<TurnResult>;
  /** Asks the agent to end the turn. Says what became of that. */
  interrupt(options?: InterruptOptions & Cancellable): Promise<Receipt>;
  /** The events as a web stream. */
  readable(): ReadableStream<Event>;
}

/** Keeps a session's process from eviction. */
export declare class Hold {
  private constructor();
  /** Lets go. A second time does nothing. */
  release(): void;
  [Symbol.dispose](): void;
}

/** A refused call, or a turn that did not end well. */
export declare class RemudaError extends Error {
  constructor(kind: string, message: string, options?: ErrorOptions);
  /** What to act on: `ERR_REMUDA_` and the kind. */
  readonly code: ErrorCode;
  /** The kind as it stands in events. */
  readonly kind: ErrorKind | 'interrupted';
}

/** A turn that failed. */
export declare class TurnFailedError extends RemudaError {
  constructor(failure: Failure, result: TurnResult);
  readonly failure: Failure;
  /** What the turn gave until then. */
  readonly result: TurnResult;
}

/** A turn that was interrupted. */
export declare class TurnInterruptedError extends RemudaError {
  constructor(result: TurnResult);
  /** What the turn gave until then. */
  readonly result: TurnResult;
}

/** Makes a tool that agents may call. */
export declare function tool<S extends StandardSchema | JsonSchema = JsonSchema>(options: ToolOptions<S>): Tool;

/** What a provider's agent can do, in a warm and in a one-shot process. */
export declare function capabilities(provider: string): Record<Feature, Support>;
/** The same of all providers, by name. */
export declare function capabilities(): Record<string, Record<Feature, Support>>;

/** The version of the package. */
export declare const version: string;
