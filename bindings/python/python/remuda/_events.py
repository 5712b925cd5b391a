"""Events, and what they are made of.

Made from the schemas of core by `generate.py`; not to be edited.
"""
# ruff: noqa: E501

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Literal, TypeVar, final

from remuda._remuda import Event, ReasoningDelta, TextDelta, set_event_class

_T = TypeVar("_T")

EventKind = Literal["session_opened", "session_bound", "session_closed", "process_started", "process_stopped", "evicted", "recycled", "downgraded", "spilled", "restored", "settings_changed", "turn_started", "turn_completed", "turn_failed", "turn_interrupted", "turn_queued", "steered", "text_delta", "reasoning_delta", "message", "tool_use", "tool_output_delta", "tool_result", "plan", "file_change", "usage", "rate_limit", "context_usage", "compaction", "status", "warning", "request_opened", "request_resolved", "gap", "unknown"]
"""The stable names of events."""

Changed = Literal["live", "recycled", "after_turn", "next_process"]
"""When changed settings hold."""

CloseReason = Literal["host", "shutdown", "internal"]
"""Who ended a session."""

CompactionPhase = Literal["started", "completed", "failed"]
"""How far a compaction is."""

Containment = Literal["process_group", "guard"]
"""What ends an agent's process tree, and in which cases. Ordered from weak to strong."""

Decision = Literal["allow_once", "allow_session", "allow_remember", "allow_changed", "deny", "deny_interrupt", "answers", "content", "result"]
"""What a question can be answered with."""

ErrorKind = Literal["invalid_argument", "turn_in_progress", "closed", "unsupported", "too_large", "already_answered", "stale", "backlog", "program_not_found", "cwd_unusable", "spawn_failed", "pool_full", "containment_unavailable", "shortage", "start_timeout", "first_output_timeout", "silence_timeout", "process_exit", "write_failed", "protocol_error", "resume_failed", "model_error", "account_error", "rate_limited", "context_full", "budget_exceeded", "agent_error", "internal"]
"""Why a call was refused or a turn failed.

The hundreds say who must act: 1xx the caller, 2xx the host or its system, 3xx the agent
or the service behind it, 9xx this library. Numbers and names are appended, never
changed.
"""

EvictionReason = Literal["least_recently_used", "idle_timeout", "process_retired"]
"""Why a session lost its process."""

FileChangeKind = Literal["add", "update", "delete", "move"]
"""What happened to a file."""

Mode = Literal["warm", "one_shot"]
"""How a process serves a session."""

PlanStatus = Literal["pending", "in_progress", "completed"]
"""How far a step of a plan is."""

RequestKind = Literal["command_approval", "file_change_approval", "tool_approval", "permission_escalation", "plan_approval", "user_question", "elicitation", "host_tool"]
"""What the agent asks."""

Resolution = Literal["allowed", "denied", "answered", "withdrawn"]
"""How a question was settled."""

ResolvedBy = Literal["host", "rule", "deadline", "schema", "no_handler", "agent", "turn_end"]
"""Who settled a question."""

Setting = Literal["model", "effort", "thinking_budget", "permission_mode", "mcp_servers"]
"""One setting."""

StopReason = Literal["evicted", "closed", "recycled", "failed", "interrupted", "turn_done", "exited"]
"""Why a process ended."""

ToolKind = Literal["shell", "read", "edit", "search", "fetch", "agent", "plan", "mcp", "host", "other"]
"""What kind of tool it is, the same for every agent."""

TurnOrigin = Literal["host", "agent"]
"""Who started a turn."""

WarningCode = Literal["agent", "noise", "line_too_long", "truncated_line", "late_output", "containment", "not_resumed", "unasked", "process_kept", "stuck", "leaked_output", "output_schema"]
"""What a warning is about."""


def _seconds(millis: Any) -> float | None:
    return None if millis is None else millis / 1000


def _maybe(make: Callable[[Any], _T], data: Any) -> _T | None:
    return None if data is None else make(data)


class _Event(Event):
    """How every kind that Python decodes shows itself."""

    __slots__ = ()
    __match_args__: tuple[str, ...] = ()

    def __repr__(self) -> str:
        fields = "".join(f", {name}={getattr(self, name)!r}" for name in self.__match_args__)
        return f"{type(self).__name__}(seq={self.seq}{fields})"



@dataclass(frozen=True)
class TokenUsage:
    """Tokens."""

    cache_read_tokens: int
    """Tokens that were read from a cache."""
    cache_write_tokens: int
    """Tokens that were written to a cache."""
    input_tokens: int
    """Tokens that went in, without those read from or written to a cache."""
    output_tokens: int
    """Tokens that came out, reasoning included."""
    reasoning_tokens: int | None
    """The part of the output that was reasoning, where the agent tells."""

    @classmethod
    def _of(cls, data: dict[str, Any]) -> TokenUsage:
        return cls(
            cache_read_tokens=data["cache_read_tokens"],
            cache_write_tokens=data["cache_write_tokens"],
            input_tokens=data["input_tokens"],
            output_tokens=data["output_tokens"],
            reasoning_tokens=data.get("reasoning_tokens"),
        )


@dataclass(frozen=True)
class Cost:
    """Money, in US dollars, as the agent estimates it."""

    delta_usd: float
    """What this turn added."""
    total_usd: float
    """What the session has cost since it was opened."""

    @classmethod
    def _of(cls, data: dict[str, Any]) -> Cost:
        return cls(
            delta_usd=data["delta_usd"],
            total_usd=data["total_usd"],
        )


@dataclass(frozen=True)
class TurnResult:
    """What a turn gave, as far as it came. Part of each of the three ends."""

    agent_duration: float | None
    """How long the agent says it worked."""
    agent_turns: int | None
    """How often the agent went to the model and back."""
    cost: Cost | None
    """Money, where the agent counts it."""
    duration: float
    """From acceptance to the end, by the host's monotonic clock."""
    model: str | None
    """The model that answered."""
    stop_reason: str | None
    """Why the agent stopped, in the agent's own word."""
    structured: Any | None
    """The structured answer, where one was asked for."""
    text: str
    """The final text of the answer: the last whole message of the agent itself, not of its
    sub-agents. Of a turn that failed or was interrupted in the middle of a message: what was there
    of that, about a MiB at most. Empty if there was neither.
    """
    time_to_first_output: float | None
    """From acceptance to the first output of the agent."""
    usage: TokenUsage | None
    """Tokens of this turn, where the agent counts them."""

    @classmethod
    def _of(cls, data: dict[str, Any]) -> TurnResult:
        return cls(
            agent_duration=_seconds(data.get("agent_duration_ms")),
            agent_turns=data.get("agent_turns"),
            cost=_maybe(Cost._of, data.get("cost")),
            duration=data["duration_ms"] / 1000,
            model=data.get("model"),
            stop_reason=data.get("stop_reason"),
            structured=data.get("structured"),
            text=data["text"],
            time_to_first_output=_seconds(data.get("time_to_first_output_ms")),
            usage=_maybe(TokenUsage._of, data.get("usage")),
        )


@dataclass(frozen=True)
class Exit:
    """How a process ended."""

    code: int | None
    """The exit code, if it exited by itself."""
    out_of_memory: bool
    """Whether the kernel ended it because memory ran out, where that can be known."""
    signal: int | None
    """The signal, if one ended it."""

    @classmethod
    def _of(cls, data: dict[str, Any]) -> Exit:
        return cls(
            code=data.get("code"),
            out_of_memory=data["out_of_memory"],
            signal=data.get("signal"),
        )


@dataclass(frozen=True)
class Failure:
    """Why a turn failed."""

    code: ErrorKind
    """What to act on."""
    exit: Exit | None
    """How the process ended, if it did."""
    message: str
    """What to read: one line."""
    stderr: str | None
    """The last of what the process wrote to stderr, if the process is at fault."""

    @classmethod
    def _of(cls, data: dict[str, Any]) -> Failure:
        return cls(
            code=data["code"],
            exit=_maybe(Exit._of, data.get("exit")),
            message=data["message"],
            stderr=data.get("stderr"),
        )


@dataclass(frozen=True)
class PlanEntry:
    """One step of a plan."""

    status: PlanStatus
    """How far it is."""
    text: str
    """What is to be done."""

    @classmethod
    def _of(cls, data: dict[str, Any]) -> PlanEntry:
        return cls(
            status=data["status"],
            text=data["text"],
        )


@dataclass(frozen=True)
class ChangedFile:
    """One changed file."""

    diff: str
    """The change: unified hunks, or the whole content of a new or deleted file. Empty where the
    agent does not tell.
    """
    kind: FileChangeKind
    """What happened to it."""
    moved_to: str | None
    """Its new path, if it was moved."""
    path: str
    """Its path, as the agent names it."""

    @classmethod
    def _of(cls, data: dict[str, Any]) -> ChangedFile:
        return cls(
            diff=data["diff"],
            kind=data["kind"],
            moved_to=data.get("moved_to"),
            path=data["path"],
        )


@dataclass(frozen=True)
class Choice:
    """One thing that may be chosen."""

    description: str
    """What it means."""
    label: str
    """What is answered."""

    @classmethod
    def _of(cls, data: dict[str, Any]) -> Choice:
        return cls(
            description=data["description"],
            label=data["label"],
        )


@dataclass(frozen=True)
class Question:
    """One question to the user."""

    choices: list[Choice]
    """What may be chosen. Empty: only free text."""
    free_text: bool
    """Whether the user may say something else."""
    header: str
    """A word or two over it."""
    id: str
    """Names it in `request.Answer.Answers`."""
    secret: bool
    """Whether the answer is a secret and must not be shown."""
    several: bool
    """Whether several may be chosen."""
    text: str
    """The question."""

    @classmethod
    def _of(cls, data: dict[str, Any]) -> Question:
        return cls(
            choices=[Choice._of(one) for one in data.get("choices", [])],
            free_text=data["free_text"],
            header=data["header"],
            id=data["id"],
            secret=data["secret"],
            several=data["several"],
            text=data["text"],
        )


@final
class SessionOpened(_Event):
    """The session exists."""

    __slots__ = ()
    __match_args__ = ("provider",)

    @property
    def provider(self) -> str:
        """The provider's name."""
        value: str = self.data["provider"]
        return value


@final
class SessionBound(_Event):
    """The session has, or changed, its conversation at the agent."""

    __slots__ = ()
    __match_args__ = ("provider_session_id", "resumed", "model")

    @property
    def provider_session_id(self) -> str:
        """The agent's own id of the conversation; resumes it in any pool."""
        value: str = self.data["provider_session_id"]
        return value

    @property
    def resumed(self) -> bool:
        """Whether an earlier conversation goes on."""
        value: bool = self.data["resumed"]
        return value

    @property
    def model(self) -> str | None:
        """The model, where the agent tells."""
        value: str | None = self.data.get("model")
        return value


@final
class SessionClosed(_Event):
    """The session is over."""

    __slots__ = ()
    __match_args__ = ("reason", "left")

    @property
    def reason(self) -> CloseReason:
        """Who ended it."""
        value: CloseReason = self.data["reason"]
        return value

    @property
    def left(self) -> list[int]:
        """Processes that could not be ended, by pid. Empty: the whole tree is proved gone."""
        value: list[int] = self.data.get("left", [])
        return value


@final
class ProcessStarted(_Event):
    """A process became ready."""

    __slots__ = ()
    __match_args__ = ("process", "pid", "mode", "resumed", "containment", "shared", "start", "version")

    @property
    def process(self) -> int:
        """Its generation."""
        value: int = self.data["process"]
        return value

    @property
    def pid(self) -> int:
        """The operating system's number."""
        value: int = self.data["pid"]
        return value

    @property
    def mode(self) -> Mode:
        """Whether it stays for later turns."""
        value: Mode = self.data["mode"]
        return value

    @property
    def resumed(self) -> bool:
        """Whether it goes on with an earlier conversation."""
        value: bool = self.data["resumed"]
        return value

    @property
    def containment(self) -> Containment:
        """What ends its tree when the host dies."""
        value: Containment = self.data["containment"]
        return value

    @property
    def shared(self) -> bool:
        """Whether other sessions may use it too. It may have been there before."""
        value: bool = self.data["shared"]
        return value

    @property
    def start(self) -> float:
        """From the decision to start it, or to use it, until it was ready for the session."""
        value: float = self.data["start_ms"] / 1000
        return value

    @property
    def version(self) -> str | None:
        """The agent's version, where it tells."""
        value: str | None = self.data.get("version")
        return value


@final
class ProcessStopped(_Event):
    """A process and its whole tree ended, or the session is out of one that others use. Also told of
    one that was never ready, and so was never told of as started.
    """

    __slots__ = ()
    __match_args__ = ("process", "reason", "left", "runs_on", "exit")

    @property
    def process(self) -> int:
        """Its generation."""
        value: int = self.data["process"]
        return value

    @property
    def reason(self) -> StopReason:
        """Why."""
        value: StopReason = self.data["reason"]
        return value

    @property
    def left(self) -> list[int]:
        """Processes of its tree that could not be ended, by pid."""
        value: list[int] = self.data.get("left", [])
        return value

    @property
    def runs_on(self) -> bool:
        """It did not end: other sessions use it, or may."""
        value: bool = self.data["runs_on"]
        return value

    @property
    def exit(self) -> Exit | None:
        """How, where it could be seen."""
        value: Exit | None = _maybe(Exit._of, self.data.get("exit"))
        return value


@final
class Evicted(_Event):
    """The idle session gave its process back."""

    __slots__ = ()
    __match_args__ = ("reason",)

    @property
    def reason(self) -> EvictionReason:
        """Why."""
        value: EvictionReason = self.data["reason"]
        return value


@final
class Recycled(_Event):
    """The process is replaced at a turn boundary."""

    __slots__ = ()
    __match_args__ = ("reason",)

    @property
    def reason(self) -> str:
        """Why, for people."""
        value: str = self.data["reason"]
        return value


@final
class Downgraded(_Event):
    """From now on one process per turn."""

    __slots__ = ()
    __match_args__ = ("reason", "message")

    @property
    def reason(self) -> ErrorKind:
        """What the warm process did."""
        value: ErrorKind = self.data["reason"]
        return value

    @property
    def message(self) -> str:
        """The same for people."""
        value: str = self.data["message"]
        return value


@final
class Spilled(_Event):
    """This turn runs in a process of its own because all slots are busy."""

    __slots__ = ()
    __match_args__ = ()


@final
class Restored(_Event):
    """The session uses a warm process again."""

    __slots__ = ()
    __match_args__ = ()


@final
class SettingsChanged(_Event):
    """Settings were changed."""

    __slots__ = ()
    __match_args__ = ("settings", "how")

    @property
    def settings(self) -> list[Setting]:
        """Which."""
        value: list[Setting] = self.data.get("settings", [])
        return value

    @property
    def how(self) -> Changed:
        """When they hold."""
        value: Changed = self.data["how"]
        return value


@final
class TurnStarted(_Event):
    """A turn was accepted, or a queued one begins."""

    __slots__ = ()
    __match_args__ = ("origin", "tag")

    @property
    def origin(self) -> TurnOrigin:
        """Who started it."""
        value: TurnOrigin = self.data["origin"]
        return value

    @property
    def tag(self) -> int | None:
        """The host's own mark, from `send`."""
        value: int | None = self.data.get("tag")
        return value


@final
class TurnCompleted(_Event):
    """The turn ended well."""

    __slots__ = ()
    __match_args__ = ("result",)

    @property
    def result(self) -> TurnResult:
        """What it gave."""
        value: TurnResult = TurnResult._of(self.data["result"])
        return value


@final
class TurnFailed(_Event):
    """The turn ended with a failure."""

    __slots__ = ()
    __match_args__ = ("failure", "result")

    @property
    def failure(self) -> Failure:
        """Why."""
        value: Failure = Failure._of(self.data["failure"])
        return value

    @property
    def result(self) -> TurnResult:
        """What it gave until then."""
        value: TurnResult = TurnResult._of(self.data["result"])
        return value


@final
class TurnInterrupted(_Event):
    """The turn was interrupted."""

    __slots__ = ()
    __match_args__ = ("result",)

    @property
    def result(self) -> TurnResult:
        """What it gave until then."""
        value: TurnResult = TurnResult._of(self.data["result"])
        return value


@final
class TurnQueued(_Event):
    """A message waits for the running turn to end."""

    __slots__ = ()
    __match_args__ = ("position", "tag", "why")

    @property
    def position(self) -> int:
        """How many wait before it."""
        value: int = self.data["position"]
        return value

    @property
    def tag(self) -> int | None:
        """The host's own mark, from `send`."""
        value: int | None = self.data.get("tag")
        return value

    @property
    def why(self) -> str | None:
        """Why it did not join the running turn, if that was wanted."""
        value: str | None = self.data.get("why")
        return value


@final
class Steered(_Event):
    """A message joined the running turn."""

    __slots__ = ()
    __match_args__ = ("text", "tag")

    @property
    def text(self) -> str:
        """The message."""
        value: str = self.data["text"]
        return value

    @property
    def tag(self) -> int | None:
        """The host's own mark, from `send`."""
        value: int | None = self.data.get("tag")
        return value


@final
class Message(_Event):
    """A whole message. Replaces the deltas since the last message or tool use."""

    __slots__ = ()
    __match_args__ = ("text", "parent")

    @property
    def text(self) -> str:
        """The text."""
        value: str = self.data["text"]
        return value

    @property
    def parent(self) -> str | None:
        """The sub-agent's tool call."""
        value: str | None = self.data.get("parent")
        return value


@final
class ToolUse(_Event):
    """The agent calls a tool."""

    __slots__ = ()
    __match_args__ = ("id", "name", "kind", "title", "input", "parent")

    @property
    def id(self) -> str:
        """The agent's id of the call; unique within the turn."""
        value: str = self.data["id"]
        return value

    @property
    def name(self) -> str:
        """The agent's name of the tool."""
        value: str = self.data["name"]
        return value

    @property
    def kind(self) -> ToolKind:
        """What kind of tool it is."""
        value: ToolKind = self.data["kind"]
        return value

    @property
    def title(self) -> str:
        """One line for people: the command, the path, the query."""
        value: str = self.data["title"]
        return value

    @property
    def input(self) -> Any:
        """The input, whole, as the agent sent it."""
        value: Any = self.data.get("input")
        return value

    @property
    def parent(self) -> str | None:
        """The sub-agent's tool call."""
        value: str | None = self.data.get("parent")
        return value


@final
class ToolOutputDelta(_Event):
    """A piece of a running tool's output. May be incomplete; the result is whole."""

    __slots__ = ()
    __match_args__ = ("id", "text")

    @property
    def id(self) -> str:
        """The call."""
        value: str = self.data["id"]
        return value

    @property
    def text(self) -> str:
        """The text."""
        value: str = self.data["text"]
        return value


@final
class ToolResult(_Event):
    """A tool ended."""

    __slots__ = ()
    __match_args__ = ("id", "is_error", "text", "output", "parent")

    @property
    def id(self) -> str:
        """The call."""
        value: str = self.data["id"]
        return value

    @property
    def is_error(self) -> bool:
        """Whether it failed or was refused."""
        value: bool = self.data["is_error"]
        return value

    @property
    def text(self) -> str:
        """The output as text, whole."""
        value: str = self.data["text"]
        return value

    @property
    def output(self) -> Any | None:
        """The agent's structured output, whole, where there is more than text."""
        value: Any | None = self.data.get("output")
        return value

    @property
    def parent(self) -> str | None:
        """The sub-agent's tool call."""
        value: str | None = self.data.get("parent")
        return value


@final
class Plan(_Event):
    """The agent's plan, whole; replaces the one before."""

    __slots__ = ()
    __match_args__ = ("entries", "explanation")

    @property
    def entries(self) -> list[PlanEntry]:
        """Its steps, in order."""
        value: list[PlanEntry] = [PlanEntry._of(one) for one in self.data.get("entries", [])]
        return value

    @property
    def explanation(self) -> str | None:
        """Prose around it."""
        value: str | None = self.data.get("explanation")
        return value


@final
class FileChange(_Event):
    """Files changed by a tool."""

    __slots__ = ()
    __match_args__ = ("id", "changes")

    @property
    def id(self) -> str:
        """The tool call that changed them."""
        value: str = self.data["id"]
        return value

    @property
    def changes(self) -> list[ChangedFile]:
        """The files."""
        value: list[ChangedFile] = [ChangedFile._of(one) for one in self.data.get("changes", [])]
        return value


@final
class Usage(_Event):
    """Tokens of this turn so far."""

    __slots__ = ()
    __match_args__ = ("usage", "parent")

    @property
    def usage(self) -> TokenUsage:
        """The count, with those of its sub-agents as far as the agent tells them."""
        value: TokenUsage = TokenUsage._of(self.data["usage"])
        return value

    @property
    def parent(self) -> str | None:
        """The tool call of the sub-agent whose use is the latest in it."""
        value: str | None = self.data.get("parent")
        return value


@final
class RateLimit(_Event):
    """A rate limit's state."""

    __slots__ = ()
    __match_args__ = ("raw", "limit", "resets_at", "status", "used_percent")

    @property
    def raw(self) -> Any:
        """All that the agent said."""
        value: Any = self.data.get("raw")
        return value

    @property
    def limit(self) -> str | None:
        """Which limit, in the agent's word."""
        value: str | None = self.data.get("limit")
        return value

    @property
    def resets_at(self) -> int | None:
        """When it starts anew, in seconds since the Unix epoch."""
        value: int | None = self.data.get("resets_at")
        return value

    @property
    def status(self) -> str | None:
        """Its state, in the agent's word."""
        value: str | None = self.data.get("status")
        return value

    @property
    def used_percent(self) -> float | None:
        """How much of it is used, 0 to 100."""
        value: float | None = self.data.get("used_percent")
        return value


@final
class ContextUsage(_Event):
    """How full the model's context is."""

    __slots__ = ()
    __match_args__ = ("used_tokens", "window_tokens")

    @property
    def used_tokens(self) -> int:
        """Tokens in it."""
        value: int = self.data["used_tokens"]
        return value

    @property
    def window_tokens(self) -> int | None:
        """Tokens it can hold."""
        value: int | None = self.data.get("window_tokens")
        return value


@final
class Compaction(_Event):
    """The conversation is, or was, compacted."""

    __slots__ = ()
    __match_args__ = ("phase", "tokens_after", "tokens_before")

    @property
    def phase(self) -> CompactionPhase:
        """How far."""
        value: CompactionPhase = self.data["phase"]
        return value

    @property
    def tokens_after(self) -> int | None:
        """Tokens after."""
        value: int | None = self.data.get("tokens_after")
        return value

    @property
    def tokens_before(self) -> int | None:
        """Tokens before."""
        value: int | None = self.data.get("tokens_before")
        return value


@final
class Status(_Event):
    """What the agent is busy with."""

    __slots__ = ()
    __match_args__ = ("state", "message")

    @property
    def state(self) -> str:
        """In the agent's word: `requesting`, `retrying`, …"""
        value: str = self.data["state"]
        return value

    @property
    def message(self) -> str:
        """One line for people."""
        value: str = self.data["message"]
        return value


@final
class Warning(_Event):
    """Something the host may want to know."""

    __slots__ = ()
    __match_args__ = ("code", "message")

    @property
    def code(self) -> WarningCode:
        """What to act on."""
        value: WarningCode = self.data["code"]
        return value

    @property
    def message(self) -> str:
        """What to read."""
        value: str = self.data["message"]
        return value


@final
class RequestOpened(_Event):
    """The agent asks something."""

    __slots__ = ()
    __match_args__ = ("request", "kind", "title", "decisions", "raw", "deadline_unix", "input", "questions", "tool")

    @property
    def request(self) -> int:
        """The id to answer."""
        value: int = self.data["request"]
        return value

    @property
    def kind(self) -> RequestKind:
        """What it asks."""
        value: RequestKind = self.data["kind"]
        return value

    @property
    def title(self) -> str:
        """One line for people; of a call of a host's tool, the tool's name."""
        value: str = self.data["title"]
        return value

    @property
    def decisions(self) -> list[Decision]:
        """What it can be answered with."""
        value: list[Decision] = self.data.get("decisions", [])
        return value

    @property
    def raw(self) -> Any:
        """All that the agent said."""
        value: Any = self.data.get("raw")
        return value

    @property
    def deadline_unix(self) -> float | None:
        """Until when it waits for the host, in milliseconds since the Unix epoch. `None`: it does
        not wait, and the next event says how it was settled.
        """
        value: float | None = _seconds(self.data.get("deadline_unix_ms"))
        return value

    @property
    def input(self) -> Any | None:
        """The tool's input, or the schema of the content that an MCP server asks for, or the page
        that it sends the user to: `{"url": "…"}`.
        """
        value: Any | None = self.data.get("input")
        return value

    @property
    def questions(self) -> list[Question]:
        """What the user is asked, of a user question."""
        value: list[Question] = [Question._of(one) for one in self.data.get("questions", [])]
        return value

    @property
    def tool(self) -> str | None:
        """The tool call it is about."""
        value: str | None = self.data.get("tool")
        return value


@final
class RequestResolved(_Event):
    """The question is answered, or gone."""

    __slots__ = ()
    __match_args__ = ("request", "resolution", "by", "rule")

    @property
    def request(self) -> int:
        """The id."""
        value: int = self.data["request"]
        return value

    @property
    def resolution(self) -> Resolution:
        """How."""
        value: Resolution = self.data["resolution"]
        return value

    @property
    def by(self) -> ResolvedBy:
        """By whom."""
        value: ResolvedBy = self.data["by"]
        return value

    @property
    def rule(self) -> str | None:
        """The rule that decided, by name."""
        value: str | None = self.data.get("rule")
        return value


@final
class Gap(_Event):
    """Events `first` to `last` are no longer in the log. Only in a reader's stream."""

    __slots__ = ()
    __match_args__ = ("first", "last")

    @property
    def first(self) -> int:
        """The first missing `seq`."""
        value: int = self.data["first"]
        return value

    @property
    def last(self) -> int:
        """The last missing `seq`."""
        value: int = self.data["last"]
        return value


@final
class Unknown(_Event):
    """Something the agent said that this version does not know."""

    __slots__ = ()
    __match_args__ = ("raw",)

    @property
    def raw(self) -> Any:
        """All of it."""
        value: Any = self.data.get("raw")
        return value


_CLASSES: dict[int, type[Event]] = {
    1: SessionOpened,
    2: SessionBound,
    3: SessionClosed,
    10: ProcessStarted,
    11: ProcessStopped,
    12: Evicted,
    13: Recycled,
    14: Downgraded,
    15: Spilled,
    16: Restored,
    17: SettingsChanged,
    20: TurnStarted,
    21: TurnCompleted,
    22: TurnFailed,
    23: TurnInterrupted,
    24: TurnQueued,
    25: Steered,
    32: Message,
    33: ToolUse,
    34: ToolOutputDelta,
    35: ToolResult,
    36: Plan,
    37: FileChange,
    50: Usage,
    51: RateLimit,
    52: ContextUsage,
    53: Compaction,
    54: Status,
    55: Warning,
    60: RequestOpened,
    61: RequestResolved,
    90: Gap,
    99: Unknown,
}
for _number, _class in _CLASSES.items():
    set_event_class(_number, _class)

__all__ = [
    "Changed",
    "ChangedFile",
    "Choice",
    "CloseReason",
    "Compaction",
    "CompactionPhase",
    "Containment",
    "ContextUsage",
    "Cost",
    "Decision",
    "Downgraded",
    "ErrorKind",
    "Event",
    "EventKind",
    "Evicted",
    "EvictionReason",
    "Exit",
    "Failure",
    "FileChange",
    "FileChangeKind",
    "Gap",
    "Message",
    "Mode",
    "Plan",
    "PlanEntry",
    "PlanStatus",
    "ProcessStarted",
    "ProcessStopped",
    "Question",
    "RateLimit",
    "ReasoningDelta",
    "Recycled",
    "RequestKind",
    "RequestOpened",
    "RequestResolved",
    "Resolution",
    "ResolvedBy",
    "Restored",
    "SessionBound",
    "SessionClosed",
    "SessionOpened",
    "Setting",
    "SettingsChanged",
    "Spilled",
    "Status",
    "Steered",
    "StopReason",
    "TextDelta",
    "TokenUsage",
    "ToolKind",
    "ToolOutputDelta",
    "ToolResult",
    "ToolUse",
    "TurnCompleted",
    "TurnFailed",
    "TurnInterrupted",
    "TurnOrigin",
    "TurnQueued",
    "TurnResult",
    "TurnStarted",
    "Unknown",
    "Usage",
    "Warning",
    "WarningCode",
]
