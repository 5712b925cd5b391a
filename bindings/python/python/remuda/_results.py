"""What calls give."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any, Generic, Literal, TypedDict, TypeVar

if TYPE_CHECKING:
    from remuda._events import Decision, Mode, Question, RequestKind
    from remuda._options import PermissionMode

T = TypeVar("T")

Receipt = Literal["delivered", "held", "too_late", "unsupported"]
"""What became of an interrupt: the agent is told; the turn waited, and has ended; it was over; the agent cannot be
interrupted, and its process was stopped instead."""
OnBusy = Literal["reject", "queue"]
"""What becomes of a message while a turn runs: it is refused with `turn_in_progress`, or it waits."""


@dataclasses.dataclass(frozen=True)
class PoolStats:
    """A pool at one moment. The numbers are each right, but not all of the same instant."""

    sessions: int
    """Open sessions."""
    warm: int
    """Slots in use: warm processes, each of one session or shared by several."""
    max_warm: int
    """The most there may be."""
    idle: int
    """Those of them whose sessions have nothing to do."""
    processes: int
    """Processes whose tree is not gone, one-shot ones included."""
    max_processes: int
    """The most there may be."""
    starting: int
    """Processes that are not ready yet."""
    waiting: int
    """Turns that wait for a process."""
    held_back: int
    """Sessions of which a reader is so far behind that their agents are not listened to."""
    processes_started: int
    """Processes started so far."""
    evicted: int
    """Evictions so far."""
    spilled: int
    """Spilled turns so far."""
    downgraded: int
    """Downgrades so far."""
    recycled: int
    """Recycled processes so far."""
    turns_started: int
    """Turns so far, the agents' own included."""
    turns_completed: int
    """Turns that ended well."""
    turns_failed: int
    """Turns that failed."""
    turns_interrupted: int
    """Turns that were interrupted."""
    lost: bool
    """The pool lost count, by a fault of this library. Close the sessions and make another pool."""


@dataclasses.dataclass(frozen=True)
class Shutdown:
    """What a shutdown came to."""

    closed: list[int]
    """Sessions that were closed, with proof that nothing of them is left."""
    unfinished: list[int]
    """Sessions that were not closed in time, or of which processes are left."""
    left: list[int]
    """Processes that could not be ended, by pid."""
    lost: bool
    """The pool lost count of its processes, by a fault of this library."""


class CurrentProcess(TypedDict):
    """The process that a session uses."""

    process: int
    pid: int | None
    mode: Mode
    ready: bool
    shared: bool


class CurrentSettings(TypedDict):
    """The settings as they were last set. `None`: the agent's own."""

    model: str | None
    effort: str | None
    thinking_budget: int | None
    permission_mode: PermissionMode
    mcp_servers: list[str]


class QueuedTurn(TypedDict):
    """A message that waits for the running turn to end."""

    turn: int
    tag: int | None
    text: str


class OpenRequest(TypedDict):
    """A question of the agent that waits for the host: all that its event said."""

    request: int
    turn: int | None
    kind: RequestKind
    tool: str | None
    title: str
    decisions: list[Decision]
    questions: list[Question]
    input: Any
    deadline_unix_ms: int
    raw: Any


class SessionSnapshot(TypedDict):
    """A session at one moment: all that events before `next_seq` told is in it."""

    id: int
    provider: str
    provider_session_id: str | None
    mode: Mode
    process: CurrentProcess | None
    settings: CurrentSettings
    running: int | None
    agent_turn: int | None
    background: int
    queued: list[QueuedTurn]
    requests: list[OpenRequest]
    closed: bool
    held_back: bool
    next_seq: int


@dataclasses.dataclass(frozen=True)
class SteerResult(Generic[T]):
    """What became of a message that was to join the running turn: one of the two."""

    into: int | None
    """The turn that it joined; it has no end of its own."""
    turn: T | None
    """Its own turn, where it did not join: `turn.why` says why not."""


def stats(text: str) -> PoolStats:
    """The numbers of their JSON."""
    return PoolStats(**json.loads(text))


def shutdown(text: str) -> Shutdown:
    """The report of its JSON."""
    return Shutdown(**json.loads(text))
