// Generated from the library's types; see tests/tests/node_types in the sources. Do not edit.

import type { Tool, ToolOptions } from './tool-types.js';

/** JSON that is passed on as it came. */
export type Json = unknown;

/** What a rule does. */
export type Action =
  /** Yes, this once. */
  | 'allow'
  /** Ask the host. */
  | 'ask'
  /** No. */
  | 'deny';

/** What was found of one agent. */
export type AgentReport = {
  /** Whether somebody is logged in. */
  login: Login;
  /** Where `login` was read from: the name of a variable or the path of a file, never what is in it. */
  loginSource: string | null;
  /** The best that a session with it can have: a warm process, or one per turn. */
  mode: Mode;
  /** What is wrong: it was not found, it cannot be executed, it did not give its version. A line for people. */
  problem: string | null;
  /**
   * The file that a session without `program` would start, as it was found in `PATH`. `None`: it is not installed.
   * Bytes that are not UTF-8 are replaced.
   */
  program: string | null;
  /** The name that options use. */
  provider: string;
  /** The version that it printed, only the number: `2.1.327`. */
  version: string | null;
};

/** An answer. Which ones a question takes stands in its `decisions`. */
export type Answer =
  /** Yes. */
  | {
    answer: 'allow';
    /**
     * Instead of the tool's input, this one, whole. Only where `allow_changed` stands among
     * the decisions.
     */
    input?: Json | null;
    /** For how long. */
    scope?: Scope;
  }
  /** No. */
  | {
    answer: 'deny';
    /** Whether the turn ends as well, as interrupted. */
    interrupt?: boolean;
    /** What the agent is told. */
    message?: string;
  }
  /**
   * What the user said to each question, by the question's id. Several texts where several
   * choices were allowed; a text of the user's own where free text was.
   */
  | {
    answer: 'answers';
    /** By question. */
    answers: { [name: string]: readonly string[] };
  }
  /** The content that an MCP server asked for. */
  | {
    answer: 'content';
    /** An object that fits the schema in the question. */
    content: Json;
  }
  /** What the host's tool gave. */
  | {
    answer: 'result';
    /** Whether the tool failed. */
    isError?: boolean;
    /** For the model. */
    text: string;
  };

/** Something attached to a message. */
export type Attachment = {
  /**
   * Its media type, without parameters: `image/png`, `image/jpeg`, `image/gif`, `image/webp`,
   * `application/pdf`, `application/json`, or `text/` and anything. The last two are text in UTF-8.
   * Default: by the ending of the path.
   */
  mediaType?: string | null;
  /** Its name, for the model. Default: the path's last part. */
  name?: string | null;
} & (
  /**
   * A regular file. A relative path is taken from the session's directory. It is read within the
   * call that sends the message, which blocks for as long as the disk takes.
   */
  | {
    path: string;
  }
  /** The bytes; in JSON as base64. */
  | {
    bytes: string | Uint8Array;
  });

/**
 * Limits of one turn. When one is reached the agent is interrupted, and the turn ends as failed
 * with `budget_exceeded`; its process stays.
 */
export type Budget = {
  /**
   * How often the agent itself may go to the model; its sub-agents go on their own. Once more is
   * seen only when the model speaks.
   */
  maxAgentTurns?: number | null;
  /**
   * US dollars. Agents tell what a turn cost only at its end, so this fails a turn that cost too
   * much, but cannot stop it before. Refused as unsupported where the agent never tells
   * (`crate::Feature::Cost`).
   */
  maxCostUsd?: number | null;
  /** Wall time, from acceptance. */
  maxDurationMs?: number | null;
  /**
   * Tokens in and out together, as far as the agent tells while it works. What it read from a
   * cache does not count.
   */
  maxTokens?: number | null;
};

/** A change of settings. What is `None` stays as it is. */
export type Change = {
  /** How hard the model thinks, in the agent's word. */
  effort?: string | null;
  /** The MCP servers, instead of all that were given before. */
  mcpServers?: { [name: string]: McpServer } | null;
  /** The model. */
  model?: string | null;
  /** What the agent may do without asking. */
  permissionMode?: PermissionMode | null;
  /** Tokens the model may think with. Refused as unsupported by agents that have no such limit. */
  thinkingBudget?: number | null;
};

/** When changed settings hold. */
export type Changed =
  /** From now on, in the running process. */
  | 'live'
  /** From now on: the idle process is replaced. */
  | 'recycled'
  /** From the next turn on: the process is replaced when the running turn is over. */
  | 'after_turn'
  /** From the next process on; none runs. */
  | 'next_process';

/** One thing that may be chosen. */
export type Choice = {
  /** What it means. */
  description: string;
  /** What is answered. */
  label: string;
};

/**
 * What an agent may have done by this library instead of doing it itself, where its protocol has words
 * for that. All of it is confined to the session's directory. That is no sandbox: what the agent, or a
 * command, does by itself is not seen here.
 *
 * What is refused stays refused: `read_only` refuses writing and
 * commands, and the session's `rules` judge both like any other change
 * and command, as calls of the tools `fs/write_text_file` and `terminal/create`. What no rule matches is
 * done: the agent asked, or its mode let it.
 */
export type Client = {
  /** Whether it gets text files. Default: none. */
  files?: ClientFiles;
  /**
   * Whether it has commands run. They start in the session's directory or beneath it, with the
   * session's `environment` and without the agent's login, and
   * end at the latest with the agent's process. Default: no.
   */
  terminals?: boolean;
};

/** What an agent may do with text files of the session's directory. */
export type ClientFiles =
  /** Nothing. */
  | 'none'
  /** Read them. */
  | 'read'
  /** Read and write them. */
  | 'read_write';

/** Who ended a session. */
export type CloseReason =
  /** The host closed it. */
  | 'host'
  /** The pool was shut down. */
  | 'shutdown'
  /** A fault of this library. */
  | 'internal';

/** The conversation is, or was, compacted. */
export interface CompactionEvent extends EventBase {
  /** How far. */
  phase: CompactionPhase;
  /** Tokens after. */
  tokensAfter: number | null;
  /** Tokens before. */
  tokensBefore: number | null;
  type: 'compaction';
}

/** How far a compaction is. */
export type CompactionPhase =
  /** It began. */
  | 'started'
  /** It is done. */
  | 'completed'
  /** It failed; the conversation is as before. */
  | 'failed';

/** What ends an agent's process tree, and in which cases. Ordered from weak to strong. */
export type Containment =
  /**
   * The agent leads a process group that is killed as a whole.
   *
   * While the host lives, processes that left the group are found by a mark in their
   * environment; those that also cleared their environment are missed. When the host is killed,
   * nothing ends the tree.
   */
  | 'process_group'
  /**
   * The agent is the child of a guard that adopts all its descendants and kills them when the
   * agent ends, when it is told to, or when the host is gone, however that died.
   *
   * Catches processes with a session or group of their own, daemons, and those that ignore
   * signals or cleared their environment. Misses work that other daemons do on the agent's
   * behalf. If the guard itself is killed, the agent dies with it and the host finds the rest as
   * in `ProcessGroup`.
   */
  | 'guard';

/** How full the model's context is. */
export interface ContextUsageEvent extends EventBase {
  type: 'context_usage';
  /** Tokens in it. */
  usedTokens: number;
  /** Tokens it can hold. */
  windowTokens: number | null;
}

/** Money, in US dollars, as the agent estimates it. */
export type Cost = {
  /** What this turn added. */
  deltaUsd: number;
  /** What the session has cost since it was opened. */
  totalUsd: number;
};

/** The process that a session uses. */
export type CurrentProcess = {
  /** Whether it stays for later turns. */
  mode: Mode;
  /** The operating system's number; `None`: it is not seen to run yet. */
  pid: number | null;
  /** Its generation. */
  process: number;
  /** Whether it takes turns. */
  ready: boolean;
  /** Whether other sessions may use it too. */
  shared: boolean;
};

/**
 * The settings that can be changed while a session is open, as they were last set. `None`: the agent's
 * own.
 */
export type CurrentSettings = {
  /** How hard the model thinks, in the agent's word. */
  effort: string | null;
  /** The names of the MCP servers. */
  mcpServers: string[];
  /** The model. */
  model: string | null;
  /** What the agent may do without asking. */
  permissionMode: PermissionMode;
  /** Tokens the model may think with. */
  thinkingBudget: number | null;
};

/** What a question can be answered with. */
export type Decision =
  /** `Answer::Allow`, once. */
  | 'allow_once'
  /** `Answer::Allow` for the session. */
  | 'allow_session'
  /** `Answer::Allow` for ever. */
  | 'allow_remember'
  /** `Answer::Allow` with another input. */
  | 'allow_changed'
  /** `Answer::Deny`. */
  | 'deny'
  /** `Answer::Deny` that ends the turn. */
  | 'deny_interrupt'
  /** `Answer::Answers`. */
  | 'answers'
  /** `Answer::Content`. */
  | 'content'
  /** `Answer::Result`. */
  | 'result';

/** What `doctor` found on this machine. Names and values of its JSON are stable; members are added. */
export type Doctor = {
  /**
   * One entry for each provider whose program has a name of its own, in the library's order. The provider `acp` is not
   * among them: its sessions name the program.
   */
  agents: AgentReport[];
  /** The strongest containment that works here; what agents get unless the pool demands less. */
  containment: Containment;
  /** Why there is no stronger one. A line for people. */
  containmentProblem: string | null;
  /** The version of this library. */
  version: string;
};

/** What follows when a warm process fails its session at the runtime level. */
export type Downgrade =
  /** One process per turn for the rest of the session. */
  | 'sticky'
  /** One process per turn for some turns, then one try to go back to a warm one. */
  | {
    probation: {
      /** How many turns that went well come before the try. */
      turns: number;
    };
  }
  /** The session goes on with warm processes. */
  | 'never';

/** From now on one process per turn. */
export interface DowngradedEvent extends EventBase {
  /** The same for people. */
  message: string;
  /** What the warm process did. */
  reason: ErrorKind;
  type: 'downgraded';
}

/**
 * An agent's environment: an allowlist from the host's, plus what the session adds.
 *
 * Values are never logged and never stand in an error.
 */
export type Environment = {
  /** Takes nothing from the host but what `inherit` names. */
  clear?: boolean;
  /**
   * Variables taken from the host, beside the built-in list and the provider's; `*` at the end
   * of a name stands for any rest.
   */
  inherit?: readonly string[];
  /** Variables set for the agent. They win over inherited ones. */
  set?: { [name: string]: string };
};

/**
 * Why a call was refused or a turn failed.
 *
 * The hundreds say who must act: 1xx the caller, 2xx the host or its system, 3xx the agent
 * or the service behind it, 9xx this library. Numbers and names are appended, never
 * changed.
 */
export type ErrorKind =
  /** An argument or option has a wrong value, type or name; the message names it. */
  | 'invalid_argument'
  /** The session already runs a turn. */
  | 'turn_in_progress'
  /** The session, turn or pool is closed. */
  | 'closed'
  /** The agent cannot do what was asked. */
  | 'unsupported'
  /** The message is longer than the agent or `max_message` allows. */
  | 'too_large'
  /** The question was settled before; the message says by whom. */
  | 'already_answered'
  /** The question is not open in this session, or no more. */
  | 'stale'
  /**
   * So many events wait for a reader that does not read them, or so many calls for their answers,
   * that no more may be caused.
   */
  | 'backlog'
  /** The agent's program was not found; the message says where it was looked for. */
  | 'program_not_found'
  /** The working directory does not exist or cannot be entered. */
  | 'cwd_unusable'
  /** The process could not be started. */
  | 'spawn_failed'
  /** No slot or process became free in time, or `when_full` is `fail`. */
  | 'pool_full'
  /** The demanded level of containment is not available on this machine. */
  | 'containment_unavailable'
  /** The system has no descriptors, processes or memory left for another process. */
  | 'shortage'
  /** The process did not become ready in time; the message names the phase. */
  | 'start_timeout'
  /** The agent showed no output for the turn in time. */
  | 'first_output_timeout'
  /** The agent fell silent in the middle of the turn. */
  | 'silence_timeout'
  /** The process ended, or closed its output, before the turn did. */
  | 'process_exit'
  /** The agent does not read its input. */
  | 'write_failed'
  /** The agent broke its own protocol. */
  | 'protocol_error'
  /** The agent does not know the conversation that was to be resumed. */
  | 'resume_failed'
  /** The model or its service refused or failed. */
  | 'model_error'
  /** The agent is not logged in, or the account may not do this. */
  | 'account_error'
  /** A rate or usage limit was reached. */
  | 'rate_limited'
  /** The conversation no longer fits the model. */
  | 'context_full'
  /** A limit on turns, cost or time that the host set was reached. */
  | 'budget_exceeded'
  /** The agent refused the turn for another reason that its message gives. */
  | 'agent_error'
  /** A fault of this library. */
  | 'internal';

/**
 * One thing that happened in a session.
 *
 * As JSON the envelope and the body are one flat object whose `type` is the name of the kind.
 */
export type Event =
  | SessionOpenedEvent
  | SessionBoundEvent
  | SessionClosedEvent
  | ProcessStartedEvent
  | ProcessStoppedEvent
  | EvictedEvent
  | RecycledEvent
  | DowngradedEvent
  | SpilledEvent
  | RestoredEvent
  | SettingsChangedEvent
  | TurnQueuedEvent
  | SteeredEvent
  | TurnStartedEvent
  | TurnCompletedEvent
  | TurnFailedEvent
  | TurnInterruptedEvent
  | TextDeltaEvent
  | ReasoningDeltaEvent
  | MessageEvent
  | ToolUseEvent
  | ToolOutputDeltaEvent
  | ToolResultEvent
  | PlanEvent
  | FileChangeEvent
  | UsageEvent
  | RateLimitEvent
  | ContextUsageEvent
  | CompactionEvent
  | StatusEvent
  | WarningEvent
  | RequestOpenedEvent
  | RequestResolvedEvent
  | GapEvent
  | UnknownEvent;

/** What every event has. */
export interface EventBase {
  /** The session it happened in. */
  session: number;
  /** 1, 2, 3 … within the session, without a gap. 0 of a `gap`. */
  seq: number;
  /** The turn it belongs to. */
  turn: number | null;
  /** When it was recorded: milliseconds since the Unix epoch, with fractions. */
  timeUnixMs: number;
}

/** The idle session gave its process back. */
export interface EvictedEvent extends EventBase {
  /** Why. */
  reason: EvictionReason;
  type: 'evicted';
}

/** Why a session lost its process. */
export type EvictionReason =
  /** Another session needed the slot, and this one was idle longest. */
  | 'least_recently_used'
  /** It was idle for `idle_timeout`. */
  | 'idle_timeout'
  /** The process that it shared failed another session, and is replaced. */
  | 'process_retired';

/** How a process ended. */
export type Exit = {
  /** The exit code, if it exited by itself. */
  code: number | null;
  /** Whether the kernel ended it because memory ran out, where that can be known. */
  outOfMemory: boolean;
  /** The signal, if one ended it. */
  signal: number | null;
};

/** Why a turn failed. */
export type Failure = {
  /** What to act on. */
  code: ErrorKind;
  /** How the process ended, if it did. */
  exit?: Exit | null;
  /** What to read: one line. */
  message: string;
  /** The last of what the process wrote to stderr, if the process is at fault. */
  stderr?: string | null;
};

/** Something that an agent can do or not. */
export type Feature =
  /** Goes on with a conversation in a new process. */
  | 'resume'
  /** Ends a running turn and takes the next one. */
  | 'interrupt'
  /** Takes a message into the running turn. */
  | 'steer'
  /** Works on by itself after a turn: background tasks, goals. */
  | 'agent_turns'
  /** Takes images. */
  | 'images'
  /** Takes PDF documents. */
  | 'documents'
  /** Takes text files. */
  | 'text_files'
  /** Answers with JSON that fits a schema. */
  | 'output_schema'
  /** Tells what a turn costs, so that a budget can say how much it may. */
  | 'cost'
  /** Calls tools of the host. */
  | 'host_tools'
  /** Has text files read or written by its client. */
  | 'client_files'
  /** Has commands run by its client. */
  | 'client_terminals'
  /** Asks before it runs a command. */
  | 'command_approval'
  /** Asks before it changes files. */
  | 'file_change_approval'
  /** Asks for more than its mode allows. */
  | 'permission_escalation'
  /** Asks whether its plan is good. */
  | 'plan_approval'
  /** Asks the user. */
  | 'user_question'
  /** Passes on what an MCP server asks the user. */
  | 'elicitation'
  /** A yes can hold for the session. */
  | 'allow_session'
  /** A yes can hold for ever. */
  | 'allow_remember'
  /** A yes can change the input. */
  | 'allow_changed'
  /** A no can end the turn. */
  | 'deny_interrupt'
  /** The model can be changed without a new process. */
  | 'change_model'
  /** The effort can. */
  | 'change_effort'
  /** The thinking budget can. */
  | 'change_thinking_budget'
  /** The permission mode can. */
  | 'change_permission_mode'
  /** The MCP servers can. */
  | 'change_mcp_servers'
  /** Compacts the conversation when told to. */
  | 'compact'
  /** Lists models. */
  | 'list_models'
  /** Lists commands and skills. */
  | 'list_commands'
  /** Tells the state of MCP servers. */
  | 'mcp_status'
  /** Tells how full its context is. */
  | 'context_usage'
  /** Takes the conversation back. */
  | 'rewind'
  /** Makes a second conversation of one. */
  | 'fork'
  /** Lists its background tasks. */
  | 'list_tasks'
  /** Ends background tasks. */
  | 'stop_tasks';

/** One changed file. */
export type FileChange = {
  /**
   * The change: unified hunks, or the whole content of a new or deleted file. Empty where the
   * agent does not tell.
   */
  diff: string;
  /** What happened to it. */
  kind: FileChangeKind;
  /** Its new path, if it was moved. */
  movedTo?: string | null;
  /** Its path, as the agent names it. */
  path: string;
};

/** Files changed by a tool. */
export interface FileChangeEvent extends EventBase {
  /** The files. */
  changes: FileChange[];
  /** The tool call that changed them. */
  id: string;
  type: 'file_change';
}

/** What happened to a file. */
export type FileChangeKind =
  /** It is new. */
  | 'add'
  /** It has other content. */
  | 'update'
  /** It is gone. */
  | 'delete'
  /** It has another name. */
  | 'move';

/** Events `first` to `last` are no longer in the log. Only in a reader's stream. */
export interface GapEvent extends EventBase {
  /** The first missing `seq`. */
  first: number;
  /** The last missing `seq`. */
  last: number;
  type: 'gap';
}

/**
 * A tool of the host, which judges each call itself. Of the session's rules, only those that deny
 * concern it, and `SessionOptions::read_only` does not.
 */
export type HostTool = {
  /** What it does, for the model. */
  description?: string;
  /**
   * The JSON Schema of its input: an object's. Its `type` is `object`, or is left out and means that.
   * Input that does not fit it never reaches the host.
   */
  inputSchema: Json;
  /** Its name: letters, digits, `_` and `-`, at most 64. */
  name: string;
};

/** What goes with an interrupted turn. */
export type InterruptOptions = {
  /** What waits in the queue is cancelled, unless the interrupt was too late. Default: it stays. */
  dropQueue?: boolean;
  /** Commands that the agent leaves running go on, where it leaves any. Default: they are ended. */
  keepCommands?: boolean;
};

/** What to run. */
export type LendOptions = {
  /** Its arguments. */
  args?: readonly string[];
  /** The directory it works in. Must exist. */
  cwd?: string;
  /** Its environment. */
  environment?: Environment;
  /**
   * The program, by path or by name. A relative path is taken from `cwd`, a name is looked for in
   * the `PATH` of its environment. It is started as it is: wrappers are not followed.
   */
  program?: string;
};

/**
 * Whether an agent has a login, as far as files and variables tell. Nobody is asked, so `logged_in` does not say that the
 * service still takes it.
 */
export type Login =
  /** There is a key, a token or a file of one. */
  | 'logged_in'
  /** There is nothing of what the agent takes a login from. */
  | 'logged_out'
  /** It cannot be known without a request: the agent may keep its login elsewhere, use another service or need none. */
  | 'unknown';

/**
 * An MCP server for the agent.
 *
 * Claude Code gets servers on its command line, and so does Codex in a process that serves one turn:
 * every user of the machine can read the values there (of Codex, those of `env` only, not those of
 * `headers`). A secret belongs into a variable of the agent's
 * `environment`, and its name here: Claude Code puts a variable in the place
 * of `${NAME}`.
 */
export type McpServer =
  /** A program that the agent starts and speaks to over stdio. */
  | {
    stdio: {
      /** Its arguments. */
      args?: readonly string[];
      /** The program. */
      command: string;
      /** Its environment, beside what the agent gives it. */
      env?: { [name: string]: string };
    };
  }
  /** A server that the agent speaks to over streamable HTTP. */
  | {
    http: {
      /** Headers of every request. */
      headers?: { [name: string]: string };
      /** Its address. */
      url: string;
    };
  };

/** A message: text, and what is attached to it. */
export type Message = {
  /** Images and files. */
  attachments?: readonly Attachment[];
  /**
   * A JSON Schema that the final answer must fit, for agents that can. An object's: its `type` is `object`,
   * or is left out. The turn's result has the answer as `structured` if it fits; if it does not, the
   * result has none, and a warning with the code `output_schema` says why.
   */
  outputSchema?: Json | null;
  /** The text. */
  text?: string;
};

/** A whole message. Replaces the deltas since the last message or tool use. */
export interface MessageEvent extends EventBase {
  /** The sub-agent's tool call. */
  parent?: string | null;
  /** The text. */
  text: string;
  type: 'message';
}

/** How a process serves a session. */
export type Mode =
  /** It stays for later turns. */
  | 'warm'
  /** It serves one turn. */
  | 'one_shot';

/** What becomes of a message while a turn runs. */
export type OnBusy =
  /** It is refused with `turn_in_progress`. */
  | 'reject'
  /** It waits, and runs as a turn of its own. */
  | 'queue'
  /** It joins the running turn; where the agent cannot do that, or the turn is too far, it waits. */
  | 'steer';

/** A question of the agent that waits for the host: all that its event said. */
export type OpenRequest = {
  /** Until when it waits, in milliseconds since the Unix epoch. */
  deadlineUnixMs: number;
  /** What it can be answered with. */
  decisions: Decision[];
  /** The tool's input, or the content's schema of an elicitation. */
  input: Json | null;
  /** What it asks. */
  kind: RequestKind;
  /** What the user is asked, of a user question. */
  questions: Question[];
  /** As the agent sent it. */
  raw: Json;
  /** The id to answer. */
  request: number;
  /** One line for people. */
  title: string;
  /** The tool call it is about. */
  tool: string | null;
  /** The turn in which it is asked, if it is one's. */
  turn: number | null;
};

/** Something to do with the conversation. Which ones an agent can do stands in its capabilities. */
export type Operation =
  /** Compact the conversation now. Gives `{}` when it is under way; events tell the rest. */
  | {
    operation: 'compact';
  }
  /**
   * The models that can be chosen. Gives `{"models": [{"id", "name", "description"}]}` and what else the
   * agent says of each.
   */
  | {
    operation: 'list_models';
  }
  /** Commands and skills. Gives `{"commands": [{"name", "description"}]}`. */
  | {
    operation: 'list_commands';
  }
  /** MCP servers and their state. Gives `{"servers": [{"name", "status"}]}`. */
  | {
    operation: 'mcp_status';
  }
  /** How full the context is. Gives `{"used_tokens", "window_tokens"}` and what else the agent says. */
  | {
    operation: 'context_usage';
  }
  /**
   * Take the conversation back to before the message of a turn, by the agent's id of that turn or
   * message. Gives `{}`.
   */
  | {
    /** The agent's id: the message of the `status` event `turn_id` in that turn. */
    before: string;
    operation: 'rewind';
  }
  /**
   * A new conversation with the same history. Gives `{"provider_session_id"}`, to be opened with
   * `resume`.
   */
  | {
    operation: 'fork';
  }
  /** The agent's background tasks. Gives `{"tasks": [{"id", "title"}]}`. */
  | {
    operation: 'list_tasks';
  }
  /** End one background task, or all. Gives `{}`. */
  | {
    operation: 'stop_tasks';
    /** The agent's id of the task; `None`: all. */
    task?: string | null;
  };

/** What the agent may do without asking, the same words for every agent. */
export type PermissionMode =
  /** What the agent is configured to. */
  | 'default'
  /** Only read. */
  | 'read_only'
  /** Make a plan, change nothing. */
  | 'plan'
  /** Change files in `cwd`; ask for the rest. */
  | 'accept_edits'
  /** Everything. The agent's sandbox, if it has one, is off. */
  | 'bypass_permissions';

/** Whether a session uses a warm process. */
export type Persistent =
  /** Where the agent can, until it misbehaves. */
  | 'auto'
  /** One process per turn. */
  | 'never';

/** Where files are. */
export type Place =
  /** Beneath the session's directory. */
  | 'inside_cwd'
  /** Anywhere else. */
  | 'outside_cwd';

/** One step of a plan. */
export type PlanEntry = {
  /** How far it is. */
  status: PlanStatus;
  /** What is to be done. */
  text: string;
};

/** The agent's plan, whole; replaces the one before. */
export interface PlanEvent extends EventBase {
  /** Its steps, in order. */
  entries: PlanEntry[];
  /** Prose around it. */
  explanation?: string | null;
  type: 'plan';
}

/** How far a step of a plan is. */
export type PlanStatus =
  /** Not begun. */
  | 'pending'
  /** Under way. */
  | 'in_progress'
  /** Done. */
  | 'completed';

/** What a pool may use and how it behaves. */
export type PoolOptions = {
  /** What follows when a warm process misbehaves. Default: sticky. */
  downgrade?: Downgrade;
  /** After this long without work a warm process is stopped. Default 300 s. */
  idleTimeoutMs?: number;
  /**
   * How much of each session's events is kept for replay and for slow readers, in bytes. At
   * least 64 KiB. Default 4 MiB. As much again may be kept for turns that are over and
   * were not read to the end, and as much, but at least 1 MiB, may come while the log is full.
   */
  logBytes?: number;
  /**
   * The longest line taken from an agent, in bytes; a longer one is reported and skipped.
   * At least 64 KiB. Default 64 MiB.
   */
  maxLine?: number;
  /** The longest message a host may send, in bytes. Default 32 MiB. */
  maxMessage?: number;
  /**
   * All agent processes together, one-shot ones included; above it turns wait in a fair queue.
   * At least `max_warm`. Default: twice `max_warm`.
   */
  maxProcesses?: number | null;
  /** The most sessions in one shared process. At least 1. Default 20. */
  maxSessionsPerProcess?: number;
  /** Processes starting at the same time. At least 1. Default 2. */
  maxStarting?: number;
  /** Slots: warm processes, each of one session or shared by several. At least 1. Default 5. */
  maxWarm?: number;
  /**
   * The lowest level of containment that is acceptable. Default: a process group, which is used
   * only where no guard can run, and then reported.
   */
  requireContainment?: Containment;
  /**
   * Whether sessions share warm processes, of those that do not say it themselves. Default: as the
   * provider has it. `shared` holds for agents that can.
   */
  sharing?: Sharing | null;
  /** Threads of the library's own runtime. 1 to 256. Default 2. */
  threads?: number;
  /** Deadlines of every session that does not set its own. */
  timeouts?: Timeouts;
  /** What a turn does when all slots are busy. Default: spill. */
  whenFull?: WhenFull;
};

/** A pool at one moment. The numbers are each right, but not all of the same instant. */
export type PoolStats = {
  /** Downgrades so far. */
  downgraded: number;
  /** Evictions so far. */
  evicted: number;
  /**
   * Sessions of which a reader is so far behind that their agents are not listened to. They keep
   * their slots. See `Events`.
   */
  heldBack: number;
  /** Those of them whose sessions have nothing to do. */
  idle: number;
  /**
   * The pool lost count, by a fault of this library: `warm`, `idle`, `processes`, `starting` and
   * `waiting` are as they were before, and no process is started any more. What to do: close the
   * sessions and make another pool.
   */
  lost: boolean;
  /** The most there may be. */
  maxProcesses: number;
  /** The most there may be. */
  maxWarm: number;
  /** Processes whose tree is not gone, one-shot ones included. */
  processes: number;
  /** Processes started so far. */
  processesStarted: number;
  /** Recycled processes so far. */
  recycled: number;
  /** Open sessions. */
  sessions: number;
  /** Spilled turns so far. */
  spilled: number;
  /** Processes that are not ready yet. */
  starting: number;
  /** Turns that ended well. */
  turnsCompleted: number;
  /** Turns that failed. */
  turnsFailed: number;
  /** Turns that were interrupted. */
  turnsInterrupted: number;
  /** Turns so far, the agents' own included. */
  turnsStarted: number;
  /** Turns that wait for a process. */
  waiting: number;
  /** Slots in use: warm processes, each of one session or shared by several. */
  warm: number;
};

/** A process became ready. */
export interface ProcessStartedEvent extends EventBase {
  /** What ends its tree when the host dies. */
  containment: Containment;
  /** Whether it stays for later turns. */
  mode: Mode;
  /** The operating system's number. */
  pid: number;
  /** Its generation. */
  process: number;
  /** Whether it goes on with an earlier conversation. */
  resumed: boolean;
  /** Whether other sessions may use it too. It may have been there before. */
  shared: boolean;
  /** From the decision to start it, or to use it, until it was ready for the session. */
  startMs: number;
  type: 'process_started';
  /** The agent's version, where it tells. */
  version: string | null;
}

/**
 * A process and its whole tree ended, or the session is out of one that others use. Also told of
 * one that was never ready, and so was never told of as started.
 */
export interface ProcessStoppedEvent extends EventBase {
  /** How, where it could be seen. */
  exit: Exit | null;
  /** Processes of its tree that could not be ended, by pid. */
  left: number[];
  /** Its generation. */
  process: number;
  /** Why. */
  reason: StopReason;
  /** It did not end: other sessions use it, or may. */
  runsOn: boolean;
  type: 'process_stopped';
}

/** One question to the user. */
export type Question = {
  /** What may be chosen. Empty: only free text. */
  choices: Choice[];
  /** Whether the user may say something else. */
  freeText: boolean;
  /** A word or two over it. */
  header: string;
  /** Names it in `crate::request::Answer::Answers`. */
  id: string;
  /** Whether the answer is a secret and must not be shown. */
  secret: boolean;
  /** Whether several may be chosen. */
  several: boolean;
  /** The question. */
  text: string;
};

/** A waiting message, as hosts see it. */
export type QueuedTurn = {
  /** The host's mark. */
  tag: number | null;
  /** Its text. */
  text: string;
  /** Its turn. */
  turn: number;
};

/** A rate limit's state. */
export interface RateLimitEvent extends EventBase {
  /** Which limit, in the agent's word. */
  limit: string | null;
  /** All that the agent said. */
  raw: Json;
  /** When it starts anew, in seconds since the Unix epoch. */
  resetsAt: number | null;
  /** Its state, in the agent's word. */
  status: string | null;
  type: 'rate_limit';
  /** How much of it is used, 0 to 100. */
  usedPercent: number | null;
}

/** A piece of the model's reasoning. Pieces may be merged, never lost. */
export interface ReasoningDeltaEvent extends EventBase {
  /** The sub-agent's tool call. */
  parent?: string | null;
  /** The text. */
  text: string;
  type: 'reasoning_delta';
}

/** What became of an interrupt. */
export type Receipt =
  /** The agent is told. The turn ends soon as interrupted, or, if it was faster, by itself. */
  | 'delivered'
  /**
   * The turn waited: in the queue, for the pool, or for a process to become ready. It was held
   * back, and has ended as interrupted. No agent has shown a sign of it, and none gets it any
   * more.
   */
  | 'held'
  /** The turn was over. */
  | 'too_late'
  /**
   * The agent cannot be interrupted here. Its process was stopped instead, and the turn has ended
   * as interrupted; the next turn starts another process.
   */
  | 'unsupported';

/** The process is replaced at a turn boundary. */
export interface RecycledEvent extends EventBase {
  /** Why, for people. */
  reason: string;
  type: 'recycled';
}

/** What the agent asks. */
export type RequestKind =
  /** May this command run? */
  | 'command_approval'
  /** May these files be changed? */
  | 'file_change_approval'
  /** May this tool be used? */
  | 'tool_approval'
  /** May the agent do more than its mode allows? */
  | 'permission_escalation'
  /** Is this plan good? */
  | 'plan_approval'
  /** What does the user say? */
  | 'user_question'
  /** What does the user give an MCP server? */
  | 'elicitation'
  /** What does the host's tool give? */
  | 'host_tool';

/** The agent asks something. */
export interface RequestOpenedEvent extends EventBase {
  /**
   * Until when it waits for the host, in milliseconds since the Unix epoch. `None`: it does
   * not wait, and the next event says how it was settled.
   */
  deadlineUnixMs?: number | null;
  /** What it can be answered with. */
  decisions: Decision[];
  /**
   * The tool's input, or the schema of the content that an MCP server asks for, or the page
   * that it sends the user to: `{"url": "…"}`.
   */
  input?: Json | null;
  /** What it asks. */
  kind: RequestKind;
  /** What the user is asked, of a user question. */
  questions?: Question[];
  /** All that the agent said. */
  raw: Json;
  /** The id to answer. */
  request: number;
  /** One line for people; of a call of a host's tool, the tool's name. */
  title: string;
  /** The tool call it is about. */
  tool: string | null;
  type: 'request_opened';
}

/** The question is answered, or gone. */
export interface RequestResolvedEvent extends EventBase {
  /** By whom. */
  by: ResolvedBy;
  /** The id. */
  request: number;
  /** How. */
  resolution: Resolution;
  /** The rule that decided, by name. */
  rule?: string | null;
  type: 'request_resolved';
}

/** Who answers the agent's questions. */
export type Requests =
  /** Nobody: what no rule allows is denied at once. */
  | 'deny'
  /** The host, by `answer`. */
  | 'host';

/** How a question was settled. */
export type Resolution =
  /** Yes. */
  | 'allowed'
  /** No. */
  | 'denied'
  /** With content. */
  | 'answered'
  /** The agent took it back, or its turn or process ended. */
  | 'withdrawn';

/** Who settled a question. */
export type ResolvedBy =
  /** The host. */
  | 'host'
  /** A rule of the session. */
  | 'rule'
  /** Nobody in time, and that means no. */
  | 'deadline'
  /** The schema of the host's tool, which the input did not fit. */
  | 'schema'
  /** Nobody: no handler is registered, and that means no. */
  | 'no_handler'
  /** The agent itself. */
  | 'agent'
  /** The end of the turn or of the process. */
  | 'turn_end';

/** The session uses a warm process again. */
export interface RestoredEvent extends EventBase {
  type: 'restored';
}

/**
 * A rule. Every member that is set must match; a rule without any matches everything.
 *
 * Calls of the host's own tools can be denied by a rule too: `tool` is the name that the host gave
 * the tool, `mcp_server` is `host`, and they have neither command nor path. A rule that allows or asks
 * changes nothing about them, since only the host can give their result, and
 * `read_only` does not concern them.
 *
 * What an agent has written or run by its `client` is judged too: as calls
 * of `fs/write_text_file` and `terminal/create`. What no rule matches of that is not asked but done.
 */
export type Rule = {
  /** What follows. */
  action: Action;
  /**
   * The command, word by word: `git log *`. `*` within a word stands for any characters of that
   * word, a last word `*` for any further words. A rule that allows matches only a command in
   * which nothing is quoted, expanded (`*`, `?`, `[`, `{`, `~`, `$`, …), redirected, chained or
   * assigned. Another rule matches if any part of the command line does: quotes, assignments, the
   * folder of the program and programs that run another one (`sudo`, `env -i`, `nice -n 5`,
   * `bash -c '…'`, …) aside. It is a net with holes, and no sandbox: what a script, an
   * interpreter, an alias or a variable runs is not seen.
   */
  command?: string | null;
  /** The MCP server whose tool it is; `*` stands for any run of characters. */
  mcpServer?: string | null;
  /** Named in the event of what it decided. */
  name: string;
  /**
   * Where the files are that it is about, links followed. A rule that allows must match every one
   * of them, another rule any, or a change of files that the agent does not name.
   */
  path?: Place | null;
  /** The agent's name of the tool; `*` stands for any run of characters. */
  tool?: string | null;
};

/** For how long a yes holds. */
export type Scope =
  /** This once. */
  | 'once'
  /** Until the agent's process ends, for what the agent finds to be the same. */
  | 'session'
  /** For ever: the agent writes the rule that it proposed into its own settings. */
  | 'remember';

/** How a message is sent. */
export type SendOptions = {
  /** What the turn may use up. Default: no limit. */
  budget?: Budget;
  /** What becomes of it while a turn runs. Default: it is refused. */
  onBusy?: OnBusy;
  /** A mark of the host's own that comes back in the turn's first event. */
  tag?: number | null;
};

/** The session has, or changed, its conversation at the agent. */
export interface SessionBoundEvent extends EventBase {
  /** The model, where the agent tells. */
  model: string | null;
  /** The agent's own id of the conversation; resumes it in any pool. */
  providerSessionId: string;
  /** Whether an earlier conversation goes on. */
  resumed: boolean;
  type: 'session_bound';
}

/** The session is over. */
export interface SessionClosedEvent extends EventBase {
  /** Processes that could not be ended, by pid. Empty: the whole tree is proved gone. */
  left: number[];
  /** Who ended it. */
  reason: CloseReason;
  type: 'session_closed';
}

/** The session exists. */
export interface SessionOpenedEvent extends EventBase {
  /** The provider's name. */
  provider: string;
  type: 'session_opened';
}

/** What a session is: which agent, where, and how. */
export type SessionOptions = {
  /** Appended to the agent's system prompt. */
  appendSystemPrompt?: string | null;
  /** What the agent may have done by this library instead of doing it itself. Default: nothing. */
  client?: Client;
  /**
   * The directory the agent works in. Must exist. Relative paths are taken from the host's
   * directory at the time of `open`.
   */
  cwd?: string;
  /**
   * How hard the model thinks, in the agent's word: `low`, `medium`, `high`, … Default: the
   * agent's.
   */
  effort?: string | null;
  /** The agent's environment. */
  environment?: Environment;
  /** Further arguments for the agent's program, as they are. They may break the session. */
  extraArgs?: readonly string[];
  /** The host's own words about the session; carried, never looked at. */
  labels?: { [name: string]: string };
  /**
   * MCP servers that the agent starts or calls, by name, beside those it is configured with. Some
   * agents get them on their command line: see `McpServer`.
   */
  mcpServers?: { [name: string]: McpServer };
  /** The model, in the agent's word. Default: the agent's. */
  model?: string | null;
  /** What the agent may do without asking. Default: the agent's own default. */
  permissionMode?: PermissionMode;
  /** Whether a warm process is used. Default: auto. */
  persistent?: Persistent;
  /**
   * The agent's program, by path or by name. A relative path is taken from `cwd`, a name is
   * looked for in `PATH`. Default: the provider's name for it; `acp` has none.
   */
  program?: string | null;
  /**
   * The provider's name: `claude`, `codex`, `gemini`, `opencode`, `kimi`, `claude-acp`, `codex-acp`,
   * `paseo`; or `acp`, for any other program that speaks the Agent Client Protocol.
   */
  provider?: string;
  /** How many messages may wait while a turn runs. Default 16. */
  queueLimit?: number;
  /**
   * Denies everything that could change anything, before any rule and whatever the agent's own
   * mode.
   */
  readOnly?: boolean;
  /** Who answers the agent's questions. Default: nobody, and that means no, at once. */
  requests?: Requests;
  /**
   * The provider's id of an earlier conversation to go on with. Refused while an open session of the
   * pool has it.
   */
  resume?: string | null;
  /** Rules that answer approvals; the first that matches decides. What none matches is asked. */
  rules?: readonly Rule[];
  /**
   * Whether it shares its warm process with other sessions. Default: the pool's. Sessions share
   * one only if they would start the same: provider, program, environment and `extra_args` are the
   * same, and so is `cwd`, if any of these means another thing in another directory.
   */
  sharing?: Sharing | null;
  /** Tokens the model may think with, for agents that can limit that. */
  thinkingBudget?: number | null;
  /** Deadlines. Default: the pool's. */
  timeouts?: Timeouts | null;
  /** Tools of the host that the agent may call. Each call is a request of kind `host_tool`. */
  tools?: readonly (Tool | ToolOptions)[];
};

/**
 * A session at one moment: all that events before `next_seq` told is in it. It may hold what an event
 * from there on tells again, but nothing is in neither.
 */
export type SessionSnapshot = {
  /** The agent's own turn that runs. */
  agentTurn: number | null;
  /** How many tasks the agent has in the background. */
  background: number;
  /** Whether it takes no turns any more. */
  closed: boolean;
  /**
   * Whether events that no reader took fill the log: the agent is not listened to until the reader
   * that is behind reads or is dropped. See `Events`.
   */
  heldBack: boolean;
  /** The session. */
  id: number;
  /** Whether turns run in a warm process, or each in its own. */
  mode: Mode;
  /** The `seq` that the next event will have. */
  nextSeq: number;
  /** The process that it uses. */
  process: CurrentProcess | null;
  /** The provider's name. */
  provider: string;
  /** The agent's own id of the conversation, once it has one; resumes it in any pool. */
  providerSessionId: string | null;
  /** What waits for it to end, in order. */
  queued: QueuedTurn[];
  /** Questions that wait for the host. */
  requests: OpenRequest[];
  /** The host's turn that runs. */
  running: number | null;
  /** The settings as they were last set; which of them wait for a new process stands in the events. */
  settings: CurrentSettings;
};

/** One setting. */
export type Setting =
  /** `Change::model`. */
  | 'model'
  /** `Change::effort`. */
  | 'effort'
  /** `Change::thinking_budget`. */
  | 'thinking_budget'
  /** `Change::permission_mode`. */
  | 'permission_mode'
  /** `Change::mcp_servers`. */
  | 'mcp_servers';

/** Settings were changed. */
export interface SettingsChangedEvent extends EventBase {
  /** When they hold. */
  how: Changed;
  /** Which. */
  settings: Setting[];
  type: 'settings_changed';
}

/** Whether sessions share warm processes. */
export type Sharing =
  /**
   * Several sessions use one process, at the same time. It takes less memory, and what befalls the
   * process befalls them all: its death ends all their turns, and a host that does not take the
   * events of one session holds up the others.
   */
  | 'shared'
  /** One session per process. */
  | 'per_session';

/** What a shutdown came to. */
export type Shutdown = {
  /** Sessions that were closed, with proof that nothing of them is left. */
  closed: number[];
  /** Processes that could not be ended, by pid. */
  left: number[];
  /**
   * The pool lost count of its processes, by a fault of this library. What `closed` names is
   * closed even so, but it cannot be said whether more is left than `unfinished` and `left` name.
   */
  lost: boolean;
  /** Sessions that were not closed in time, or of which processes are left. */
  unfinished: number[];
};

/** This turn runs in a process of its own because all slots are busy. */
export interface SpilledEvent extends EventBase {
  type: 'spilled';
}

/** What the agent is busy with. */
export interface StatusEvent extends EventBase {
  /** One line for people. */
  message: string;
  /** In the agent's word: `requesting`, `retrying`, … */
  state: string;
  type: 'status';
}

/** A message joined the running turn. */
export interface SteeredEvent extends EventBase {
  /** The host's own mark, from `send`. */
  tag?: number | null;
  /** The message. */
  text: string;
  type: 'steered';
}

/** Why a process ended. */
export type StopReason =
  /** Its session was evicted. */
  | 'evicted'
  /** Its session was closed. */
  | 'closed'
  /** It is replaced at a turn boundary. */
  | 'recycled'
  /** It failed its session. */
  | 'failed'
  /** It did not end an interrupted turn in time. */
  | 'interrupted'
  /** It did its one turn. */
  | 'turn_done'
  /** It ended by itself. */
  | 'exited';

/** In which kind of process. */
export type Support = {
  /** In one that serves a single turn. */
  oneShot: boolean;
  /** In a warm one. */
  warm: boolean;
};

/** A piece of the answer. Pieces may be merged, never lost. */
export interface TextDeltaEvent extends EventBase {
  /** The sub-agent's tool call. */
  parent?: string | null;
  /** The text. */
  text: string;
  type: 'text_delta';
}

/** Deadlines of a session. All of them are monotonic: a clock that jumps changes nothing. */
export type Timeouts = {
  /**
   * From the sending of a turn until its first output, and of an operation until its answer; of one
   * that waits for the running turn, from the end of that. Default 90 s.
   */
  firstOutputMs?: number;
  /**
   * From the sending of a turn until the agent shows any sign of it, where it does so at once; and
   * from a change of settings until the agent has answered it. Default 10 s.
   */
  firstSignMs?: number;
  /**
   * From an interrupt until the agent must have ended the turn; then the process is replaced.
   * Default 5 s.
   */
  interruptGraceMs?: number;
  /** How long a question of the agent waits for the host. Then it is denied. Default 5 min. */
  requestMs?: number;
  /** Silence in a turn while no tool runs. Default 180 s. */
  silenceMs?: number;
  /** From the start of a process until it is ready. Default 30 s. */
  startMs?: number;
  /** Silence in a turn while a tool runs. Default 30 min. */
  toolSilenceMs?: number;
  /** Writing to the agent without any progress. Default 30 s. */
  writeMs?: number;
};

/** What kind of tool it is, the same for every agent. */
export type ToolKind =
  /** Runs a command. */
  | 'shell'
  /** Reads a file. */
  | 'read'
  /** Changes files. */
  | 'edit'
  /** Looks for files or text. */
  | 'search'
  /** Goes to the network. */
  | 'fetch'
  /** Starts a sub-agent. */
  | 'agent'
  /** Keeps a plan or a list of things to do. */
  | 'plan'
  /** A tool of an MCP server. */
  | 'mcp'
  /** A tool that the host registered. */
  | 'host'
  /** Anything else. */
  | 'other';

/** A piece of a running tool's output. May be incomplete; the result is whole. */
export interface ToolOutputDeltaEvent extends EventBase {
  /** The call. */
  id: string;
  /** The text. */
  text: string;
  type: 'tool_output_delta';
}

/** A tool ended. */
export interface ToolResultEvent extends EventBase {
  /** The call. */
  id: string;
  /** Whether it failed or was refused. */
  isError: boolean;
  /** The agent's structured output, whole, where there is more than text. */
  output?: Json | null;
  /** The sub-agent's tool call. */
  parent?: string | null;
  /** The output as text, whole. */
  text: string;
  type: 'tool_result';
}

/** The agent calls a tool. */
export interface ToolUseEvent extends EventBase {
  /** The agent's id of the call; unique within the turn. */
  id: string;
  /** The input, whole, as the agent sent it. */
  input: Json;
  /** What kind of tool it is. */
  kind: ToolKind;
  /** The agent's name of the tool. */
  name: string;
  /** The sub-agent's tool call. */
  parent?: string | null;
  /** One line for people: the command, the path, the query. */
  title: string;
  type: 'tool_use';
}

/** The turn ended well. */
export interface TurnCompletedEvent extends EventBase {
  /** What it gave. */
  result: TurnResult;
  type: 'turn_completed';
}

/** The turn ended with a failure. */
export interface TurnFailedEvent extends EventBase {
  /** Why. */
  failure: Failure;
  /** What it gave until then. */
  result: TurnResult;
  type: 'turn_failed';
}

/** The turn was interrupted. */
export interface TurnInterruptedEvent extends EventBase {
  /** What it gave until then. */
  result: TurnResult;
  type: 'turn_interrupted';
}

/** Who started a turn. */
export type TurnOrigin =
  /** The host, by `send`. */
  | 'host'
  /** The agent, by itself: background work ended, a goal goes on. */
  | 'agent';

/** A message waits for the running turn to end. */
export interface TurnQueuedEvent extends EventBase {
  /** How many wait before it. */
  position: number;
  /** The host's own mark, from `send`. */
  tag?: number | null;
  type: 'turn_queued';
  /** Why it did not join the running turn, if that was wanted. */
  why?: string | null;
}

/** What a turn gave, as far as it came. Part of each of the three ends. */
export type TurnResult = {
  /** How long the agent says it worked. */
  agentDurationMs: number | null;
  /** How often the agent went to the model and back. */
  agentTurns: number | null;
  /** Money, where the agent counts it. */
  cost: Cost | null;
  /** From acceptance to the end, by the host's monotonic clock. */
  durationMs: number;
  /** The model that answered. */
  model: string | null;
  /** Why the agent stopped, in the agent's own word. */
  stopReason: string | null;
  /** The structured answer, where one was asked for. */
  structured?: Json | null;
  /**
   * The final text of the answer: the last whole message of the agent itself, not of its
   * sub-agents. Of a turn that failed or was interrupted in the middle of a message: what was there
   * of that, about a MiB at most. Empty if there was neither.
   */
  text: string;
  /** From acceptance to the first output of the agent. */
  timeToFirstOutputMs: number | null;
  /** Tokens of this turn, where the agent counts them. */
  usage: Usage | null;
};

/** A turn was accepted, or a queued one begins. */
export interface TurnStartedEvent extends EventBase {
  /** Who started it. */
  origin: TurnOrigin;
  /** The host's own mark, from `send`. */
  tag?: number | null;
  type: 'turn_started';
}

/** Something the agent said that this version does not know. */
export interface UnknownEvent extends EventBase {
  /** All of it. */
  raw: Json;
  type: 'unknown';
}

/** Tokens. */
export type Usage = {
  /** Tokens that were read from a cache. */
  cacheReadTokens: number;
  /** Tokens that were written to a cache. */
  cacheWriteTokens: number;
  /** Tokens that went in, without those read from or written to a cache. */
  inputTokens: number;
  /** Tokens that came out, reasoning included. */
  outputTokens: number;
  /** The part of the output that was reasoning, where the agent tells. */
  reasoningTokens: number | null;
};

/** Tokens of this turn so far. */
export interface UsageEvent extends EventBase {
  /** The tool call of the sub-agent whose use is the latest in it. */
  parent?: string | null;
  type: 'usage';
  /** The count, with those of its sub-agents as far as the agent tells them. */
  usage: Usage;
}

/** What a warning is about. */
export type WarningCode =
  /** The agent said it. */
  | 'agent'
  /** The agent printed something that is not its protocol. */
  | 'noise'
  /** A line was longer than `max_line` and was skipped. */
  | 'line_too_long'
  /** The last line ended before it was whole. */
  | 'truncated_line'
  /** Output for a turn that is over, or that never was. */
  | 'late_output'
  /** A lower level of containment is in force than a guard. */
  | 'containment'
  /** The agent could not resume, and goes on as a new conversation. */
  | 'not_resumed'
  /**
   * The turn runs in a process of its own, in which the agent asks nothing: no rule and no answer
   * of the host decides what it does.
   */
  | 'unasked'
  /**
   * The agent cannot go on with the conversation in another process: the session keeps the
   * one that it has.
   */
  | 'process_kept'
  /** Processes could not be ended. */
  | 'stuck'
  /** A descendant held the agent's output open after its end. */
  | 'leaked_output'
  /** The answer does not fit the schema that the message asked for; the result has no `structured`. */
  | 'output_schema';

/** Something the host may want to know. */
export interface WarningEvent extends EventBase {
  /** What to act on. */
  code: WarningCode;
  /** What to read. */
  message: string;
  type: 'warning';
}

/** What a turn does when all slots are busy. */
export type WhenFull =
  /**
   * It runs in a process of its own, which ends with the turn. What the agent can do only in a warm
   * process waits for a slot: operations, what a message has attached, questions that the host or
   * its rules answer.
   */
  | 'spill'
  /** It waits for a slot, and fails with `pool_full` if none comes in time. */
  | {
    wait: {
      /** How long. */
      timeoutMs: number;
    };
  }
  /** It fails with `pool_full`. */
  | 'fail';

/** The `code` of errors. */
export type ErrorCode =
  | 'ERR_REMUDA_INVALID_ARGUMENT'
  | 'ERR_REMUDA_TURN_IN_PROGRESS'
  | 'ERR_REMUDA_CLOSED'
  | 'ERR_REMUDA_UNSUPPORTED'
  | 'ERR_REMUDA_TOO_LARGE'
  | 'ERR_REMUDA_ALREADY_ANSWERED'
  | 'ERR_REMUDA_STALE'
  | 'ERR_REMUDA_BACKLOG'
  | 'ERR_REMUDA_PROGRAM_NOT_FOUND'
  | 'ERR_REMUDA_CWD_UNUSABLE'
  | 'ERR_REMUDA_SPAWN_FAILED'
  | 'ERR_REMUDA_POOL_FULL'
  | 'ERR_REMUDA_CONTAINMENT_UNAVAILABLE'
  | 'ERR_REMUDA_SHORTAGE'
  | 'ERR_REMUDA_START_TIMEOUT'
  | 'ERR_REMUDA_FIRST_OUTPUT_TIMEOUT'
  | 'ERR_REMUDA_SILENCE_TIMEOUT'
  | 'ERR_REMUDA_PROCESS_EXIT'
  | 'ERR_REMUDA_WRITE_FAILED'
  | 'ERR_REMUDA_PROTOCOL_ERROR'
  | 'ERR_REMUDA_RESUME_FAILED'
  | 'ERR_REMUDA_MODEL_ERROR'
  | 'ERR_REMUDA_ACCOUNT_ERROR'
  | 'ERR_REMUDA_RATE_LIMITED'
  | 'ERR_REMUDA_CONTEXT_FULL'
  | 'ERR_REMUDA_BUDGET_EXCEEDED'
  | 'ERR_REMUDA_AGENT_ERROR'
  | 'ERR_REMUDA_INTERNAL'
  | 'ERR_REMUDA_INTERRUPTED';
