"""Options, as dictionaries with known keys.

Made from the schemas of core by `generate.py`; not to be edited.
"""
# ruff: noqa: E501

from __future__ import annotations

import os
from typing import Any, Literal, TypedDict, Union

from remuda._events import Containment

ClientFiles = Literal["none", "read", "read_write"]
"""What an agent may do with text files of the session's directory."""

Sharing = Literal["shared", "per_session"]
"""Whether sessions share warm processes."""

PermissionMode = Literal["default", "read_only", "plan", "accept_edits", "bypass_permissions"]
"""What the agent may do without asking, the same words for every agent."""

Persistent = Literal["auto", "never"]
"""Whether a session uses a warm process."""

Requests = Literal["deny", "host"]
"""Who answers the agent's questions."""

Action = Literal["allow", "ask", "deny"]
"""What a rule does."""

Scope = Literal["once", "session", "remember"]
"""For how long a yes holds."""

Place = Literal["inside_cwd", "outside_cwd"]
"""Where files are."""


class WhenFullWaitFieldsRequired(TypedDict):
    """It waits for a slot, and fails with `pool_full` if none comes in time."""

    timeout: float
    """How long."""


class WhenFullWaitFields(WhenFullWaitFieldsRequired, total=False):
    """It waits for a slot, and fails with `pool_full` if none comes in time."""


class WhenFullWait(TypedDict):
    """It waits for a slot, and fails with `pool_full` if none comes in time."""

    wait: WhenFullWaitFields

WhenFull = Union[Literal["spill"], WhenFullWait, Literal["fail"]]
"""What a turn does when all slots are busy."""


class DowngradeProbationFieldsRequired(TypedDict):
    """One process per turn for some turns, then one try to go back to a warm one."""

    turns: int
    """How many turns that went well come before the try."""


class DowngradeProbationFields(DowngradeProbationFieldsRequired, total=False):
    """One process per turn for some turns, then one try to go back to a warm one."""


class DowngradeProbation(TypedDict):
    """One process per turn for some turns, then one try to go back to a warm one."""

    probation: DowngradeProbationFields

Downgrade = Union[Literal["sticky"], DowngradeProbation, Literal["never"]]
"""What follows when a warm process fails its session at the runtime level."""


class McpServerStdioFieldsRequired(TypedDict):
    """A program that the agent starts and speaks to over stdio."""

    command: str
    """The program."""


class McpServerStdioFields(McpServerStdioFieldsRequired, total=False):
    """A program that the agent starts and speaks to over stdio."""

    args: list[str]
    """Its arguments."""

    env: dict[str, str]
    """Its environment, beside what the agent gives it."""


class McpServerStdio(TypedDict):
    """A program that the agent starts and speaks to over stdio."""

    stdio: McpServerStdioFields


class McpServerHttpFieldsRequired(TypedDict):
    """A server that the agent speaks to over streamable HTTP."""

    url: str
    """Its address."""


class McpServerHttpFields(McpServerHttpFieldsRequired, total=False):
    """A server that the agent speaks to over streamable HTTP."""

    headers: dict[str, str]
    """Headers of every request."""


class McpServerHttp(TypedDict):
    """A server that the agent speaks to over streamable HTTP."""

    http: McpServerHttpFields

McpServer = Union[McpServerStdio, McpServerHttp]
"""An MCP server for the agent.

Claude Code gets servers on its command line, and so does Codex in a process that serves one turn:
every user of the machine can read the values there (of Codex, those of `env` only, not those of
`headers`). A secret belongs into a variable of the agent's
`environment`, and its name here: Claude Code puts a variable in the place
of `${NAME}`.
"""


class Client(TypedDict, total=False):
    """What an agent may have done by this library instead of doing it itself, where its protocol has words
    for that. All of it is confined to the session's directory. That is no sandbox: what the agent, or a
    command, does by itself is not seen here.

    What is refused stays refused: `read_only` refuses writing and
    commands, and the session's `rules` judge both like any other change
    and command, as calls of the tools `fs/write_text_file` and `terminal/create`. What no rule matches is
    done: the agent asked, or its mode let it.
    """

    files: ClientFiles
    """Whether it gets text files. Default: none."""

    terminals: bool
    """Whether it has commands run. They start in the session's directory or beneath it, with the
    session's `environment` and without the agent's login, and
    end at the latest with the agent's process. Default: no.
    """


class Timeouts(TypedDict, total=False):
    """Deadlines of a session. All of them are monotonic: a clock that jumps changes nothing."""

    first_output: float
    """From the sending of a turn until its first output, and of an operation until its answer; of one
    that waits for the running turn, from the end of that. Default 90 s.
    """

    first_sign: float
    """From the sending of a turn until the agent shows any sign of it, where it does so at once; and
    from a change of settings until the agent has answered it. Default 10 s.
    """

    interrupt_grace: float
    """From an interrupt until the agent must have ended the turn; then the process is replaced.
    Default 5 s.
    """

    request: float
    """How long a question of the agent waits for the host. Then it is denied. Default 5 min."""

    silence: float
    """Silence in a turn while no tool runs. Default 180 s."""

    start: float
    """From the start of a process until it is ready. Default 30 s."""

    tool_silence: float
    """Silence in a turn while a tool runs. Default 30 min."""

    write: float
    """Writing to the agent without any progress. Default 30 s."""


class Environment(TypedDict, total=False):
    """An agent's environment: an allowlist from the host's, plus what the session adds.

    Values are never logged and never stand in an error.
    """

    clear: bool
    """Takes nothing from the host but what `inherit` names."""

    inherit: list[str]
    """Variables taken from the host, beside the built-in list and the provider's; `*` at the end
    of a name stands for any rest.
    """

    set: dict[str, str]
    """Variables set for the agent. They win over inherited ones."""


class RuleRequired(TypedDict):
    """A rule. Every member that is set must match; a rule without any matches everything.

    Calls of the host's own tools can be denied by a rule too: `tool` is the name that the host gave
    the tool, `mcp_server` is `host`, and they have neither command nor path. A rule that allows or asks
    changes nothing about them, since only the host can give their result, and
    `read_only` does not concern them.

    What an agent has written or run by its `client` is judged too: as calls
    of `fs/write_text_file` and `terminal/create`. What no rule matches of that is not asked but done.
    """

    action: Action
    """What follows."""

    name: str
    """Named in the event of what it decided."""


class Rule(RuleRequired, total=False):
    """A rule. Every member that is set must match; a rule without any matches everything.

    Calls of the host's own tools can be denied by a rule too: `tool` is the name that the host gave
    the tool, `mcp_server` is `host`, and they have neither command nor path. A rule that allows or asks
    changes nothing about them, since only the host can give their result, and
    `read_only` does not concern them.

    What an agent has written or run by its `client` is judged too: as calls
    of `fs/write_text_file` and `terminal/create`. What no rule matches of that is not asked but done.
    """

    command: str | None
    """The command, word by word: `git log *`. `*` within a word stands for any characters of that
    word, a last word `*` for any further words. A rule that allows matches only a command in
    which nothing is quoted, expanded (`*`, `?`, `[`, `{`, `~`, `$`, …), redirected, chained or
    assigned. Another rule matches if any part of the command line does: quotes, assignments, the
    folder of the program and programs that run another one (`sudo`, `env -i`, `nice -n 5`,
    `bash -c '…'`, …) aside. It is a net with holes, and no sandbox: what a script, an
    interpreter, an alias or a variable runs is not seen.
    """

    mcp_server: str | None
    """The MCP server whose tool it is; `*` stands for any run of characters."""

    path: Place | None
    """Where the files are that it is about, links followed. A rule that allows must match every one
    of them, another rule any, or a change of files that the agent does not name.
    """

    tool: str | None
    """The agent's name of the tool; `*` stands for any run of characters."""


class HostToolRequired(TypedDict):
    """A tool of the host, which judges each call itself. Of the session's rules, only those that deny
    concern it, and `SessionOptions.read_only` does not.
    """

    input_schema: Any
    """The JSON Schema of its input: an object's. Its `type` is `object`, or is left out and means that.
    Input that does not fit it never reaches the host.
    """

    name: str
    """Its name: letters, digits, `_` and `-`, at most 64."""


class HostTool(HostToolRequired, total=False):
    """A tool of the host, which judges each call itself. Of the session's rules, only those that deny
    concern it, and `SessionOptions.read_only` does not.
    """

    description: str
    """What it does, for the model."""


class Budget(TypedDict, total=False):
    """Limits of one turn. When one is reached the agent is interrupted, and the turn ends as failed
    with `budget_exceeded`; its process stays.
    """

    max_agent_turns: int | None
    """How often the agent itself may go to the model; its sub-agents go on their own. Once more is
    seen only when the model speaks.
    """

    max_cost_usd: float | None
    """US dollars. Agents tell what a turn cost only at its end, so this fails a turn that cost too
    much, but cannot stop it before. Refused as unsupported where the agent never tells
    (`Feature.Cost`).
    """

    max_duration: float | None
    """Wall time, from acceptance."""

    max_tokens: int | None
    """Tokens in and out together, as far as the agent tells while it works. What it read from a
    cache does not count.
    """


class Change(TypedDict, total=False):
    """A change of settings. What is `None` stays as it is."""

    effort: str | None
    """How hard the model thinks, in the agent's word."""

    mcp_servers: dict[str, McpServer] | None
    """The MCP servers, instead of all that were given before."""

    model: str | None
    """The model."""

    permission_mode: PermissionMode | None
    """What the agent may do without asking."""

    thinking_budget: int | None
    """Tokens the model may think with. Refused as unsupported by agents that have no such limit."""


class PoolOptions(TypedDict, total=False):
    """What a pool may use and how it behaves."""

    downgrade: Downgrade
    """What follows when a warm process misbehaves. Default: sticky."""

    idle_timeout: float
    """After this long without work a warm process is stopped. Default 300 s."""

    log_bytes: int
    """How much of each session's events is kept for replay and for slow readers, in bytes. At
    least 64 KiB. Default 4 MiB. As much again may be kept for turns that are over and
    were not read to the end, and as much, but at least 1 MiB, may come while the log is full.
    """

    max_line: int
    """The longest line taken from an agent, in bytes; a longer one is reported and skipped.
    At least 64 KiB. Default 64 MiB.
    """

    max_message: int
    """The longest message a host may send, in bytes. Default 32 MiB."""

    max_processes: int | None
    """All agent processes together, one-shot ones included; above it turns wait in a fair queue.
    At least `max_warm`. Default: twice `max_warm`.
    """

    max_sessions_per_process: int
    """The most sessions in one shared process. At least 1. Default 20."""

    max_starting: int
    """Processes starting at the same time. At least 1. Default 2."""

    max_warm: int
    """Slots: warm processes, each of one session or shared by several. At least 1. Default 5."""

    require_containment: Containment
    """The lowest level of containment that is acceptable. Default: a process group, which is used
    only where no guard can run, and then reported.
    """

    sharing: Sharing | None
    """Whether sessions share warm processes, of those that do not say it themselves. Default: as the
    provider has it. `shared` holds for agents that can.
    """

    threads: int
    """Threads of the library's own runtime. 1 to 256. Default 2."""

    timeouts: Timeouts
    """Deadlines of every session that does not set its own."""

    when_full: WhenFull
    """What a turn does when all slots are busy. Default: spill."""


class SessionOptions(TypedDict, total=False):
    """What a session is: which agent, where, and how."""

    append_system_prompt: str | None
    """Appended to the agent's system prompt."""

    client: Client
    """What the agent may have done by this library instead of doing it itself. Default: nothing."""

    cwd: str | os.PathLike[str]
    """The directory the agent works in. Must exist. Relative paths are taken from the host's
    directory at the time of `open`.
    """

    effort: str | None
    """How hard the model thinks, in the agent's word: `low`, `medium`, `high`, … Default: the
    agent's.
    """

    environment: Environment
    """The agent's environment."""

    extra_args: list[str]
    """Further arguments for the agent's program, as they are. They may break the session."""

    labels: dict[str, str]
    """The host's own words about the session; carried, never looked at."""

    mcp_servers: dict[str, McpServer]
    """MCP servers that the agent starts or calls, by name, beside those it is configured with. Some
    agents get them on their command line: see `McpServer`.
    """

    model: str | None
    """The model, in the agent's word. Default: the agent's."""

    permission_mode: PermissionMode
    """What the agent may do without asking. Default: the agent's own default."""

    persistent: Persistent
    """Whether a warm process is used. Default: auto."""

    program: str | os.PathLike[str] | None
    """The agent's program, by path or by name. A relative path is taken from `cwd`, a name is
    looked for in `PATH`. Default: the provider's name for it; `acp` has none.
    """

    queue_limit: int
    """How many messages may wait while a turn runs. Default 16."""

    read_only: bool
    """Denies everything that could change anything, before any rule and whatever the agent's own
    mode.
    """

    resume: str | None
    """The provider's id of an earlier conversation to go on with. Refused while an open session of the
    pool has it.
    """

    rules: list[Rule]
    """Rules that answer approvals; the first that matches decides. What none matches is asked."""

    sharing: Sharing | None
    """Whether it shares its warm process with other sessions. Default: the pool's. Sessions share
    one only if they would start the same: provider, program, environment and `extra_args` are the
    same, and so is `cwd`, if any of these means another thing in another directory.
    """

    thinking_budget: int | None
    """Tokens the model may think with, for agents that can limit that."""

    timeouts: Timeouts | None
    """Deadlines. Default: the pool's."""

FIELDS: dict[str, dict[str, tuple[str, str]]] = {
    "Timeouts": {
        "first_output": ("first_output_ms", "ms"),
        "first_sign": ("first_sign_ms", "ms"),
        "interrupt_grace": ("interrupt_grace_ms", "ms"),
        "request": ("request_ms", "ms"),
        "silence": ("silence_ms", "ms"),
        "start": ("start_ms", "ms"),
        "tool_silence": ("tool_silence_ms", "ms"),
        "write": ("write_ms", "ms"),
    },
    "Budget": {
        "max_duration": ("max_duration_ms", "ms"),
    },
    "WhenFull.wait": {
        "timeout": ("timeout_ms", "ms"),
    },
    "WhenFull": {
        "wait": ("wait", "WhenFull.wait"),
    },
    "PoolOptions": {
        "idle_timeout": ("idle_timeout_ms", "ms"),
        "timeouts": ("timeouts", "Timeouts"),
        "when_full": ("when_full", "WhenFull"),
    },
    "SessionOptions": {
        "timeouts": ("timeouts", "Timeouts"),
    },
}
"""What is called or measured otherwise in JSON: durations are seconds here and milliseconds there."""
