"""What the async and the synchronous classes have in common: everything that waits for nobody."""

from __future__ import annotations

import contextlib
import json
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from remuda import _encode, _remuda
from remuda._events import Event
from remuda._requests import Desk, Handler, Tool
from remuda._results import PoolStats, SessionSnapshot, stats

_QUESTIONS = [number for number, name in _remuda.event_kinds() if name in ("request_opened", "request_resolved")]


def at_once(call: _remuda.Call) -> Any:
    """The answer of a call that is there when it is made."""
    given = call.poll(_remuda.Inbox())
    if given is None:
        raise RuntimeError("the call waits")
    return given[0]


def drained(taken: deque[Event]) -> list[Event]:
    """Takes out all."""
    rest: list[Event] = []
    # Another thread may take, too.
    with contextlib.suppress(IndexError):
        while taken:
            rest.append(taken.popleft())
    return rest


class Hold:
    """Keeps a session's process from eviction until it is released, or its `with` block ends."""

    __slots__ = ("_native",)

    def __init__(self, native: _remuda.Hold) -> None:
        self._native = native

    def release(self) -> None:
        """Lets go. A second time changes nothing."""
        self._native.release()

    def __enter__(self) -> Hold:
        return self

    def __exit__(self, *_: object) -> None:
        self._native.release()


class TurnBase:
    """An accepted message and everything until its one end."""

    _native: _remuda.Turn
    _taken: deque[Event]

    def __init__(self, native: _remuda.Turn) -> None:
        self._native = native
        # Taken, and not yet given to whoever iterates: an iteration that is cancelled goes on here.
        self._taken = deque()

    @property
    def id(self) -> int:
        """The turn's number."""
        return self._native.turn

    @property
    def position(self) -> int | None:
        """How many messages waited before it when it was sent; `None`: it began at once."""
        return self._native.position

    @property
    def why(self) -> str | None:
        """Why it did not join the running turn, if that was wanted."""
        return self._native.why

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.id})"


class SessionBase:
    """One conversation with an agent. It outlives the agent's processes."""

    _native: _remuda.Session
    _desk: Desk
    _reader: _remuda.Reader | None
    """Of the questions, if anybody answers them."""

    def __init__(self, native: _remuda.Session, desk: Desk) -> None:
        self._native = native
        self._desk = desk
        self._reader = native.events(1, _QUESTIONS) if desk.is_staffed() else None

    @property
    def id(self) -> int:
        """The session's number."""
        return self._native.id

    def snapshot(self) -> SessionSnapshot:
        """What the session is at this moment, with the questions that are open."""
        snapshot: SessionSnapshot = json.loads(self._native.snapshot())
        return snapshot

    def cancel(self, turn: int) -> None:
        """Takes a waiting message out of the queue. Its turn ends as interrupted."""
        self._native.cancel(turn)

    def edit(
        self,
        turn: int,
        text: str,
        *,
        attachments: Iterable[_encode.Attached] = (),
        output_schema: Mapping[str, Any] | None = None,
    ) -> None:
        """Puts another message in the place of a waiting one."""
        self._native.edit(turn, text, _encode.message(attachments, output_schema))

    def hold(self) -> Hold:
        """Keeps the session's process from eviction, until the hold is released."""
        return Hold(self._native.hold())

    def close_soon(self) -> None:
        """Closes the session and does not wait: a running turn ends as failed with `closed`."""
        self._native.close()

    def _begin(
        self,
        text: str,
        attachments: Iterable[_encode.Attached],
        output_schema: Mapping[str, Any] | None,
        tag: int | None,
        on_busy: str,
        budget: Mapping[str, Any] | None,
    ) -> _remuda.Turn:
        more = _encode.message(attachments, output_schema)
        if on_busy == "reject" and not budget:
            return self._native.send(text, more, tag)
        if on_busy not in ("reject", "queue"):
            from remuda._errors import RemudaError

            message = f"on_busy: {on_busy!r} is neither 'reject' nor 'queue'; steer() joins a turn"
            raise RemudaError("invalid_argument", 100, message)
        sending = _encode.sending(on_busy, tag, budget)
        turn: _remuda.Turn = at_once(self._native.send_with(text, more, sending))
        return turn

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.id})"


class PoolBase:
    """A bounded herd of warm agent processes, and the sessions that use them."""

    _native: _remuda.Pool

    def __init__(self, given: Mapping[str, Any]) -> None:
        from remuda import _exit

        self._native = _remuda.Pool(_encode.options("PoolOptions", given))
        _exit.POOLS.add(self._native)

    def stats(self) -> PoolStats:
        """The pool's numbers at this moment."""
        return stats(self._native.stats())

    @property
    def options(self) -> dict[str, Any]:
        """The options that are in force, as they stand in JSON."""
        options: dict[str, Any] = json.loads(self._native.options())
        return options

    def _open(
        self,
        provider: str,
        on_request: Handler | None,
        tools: Iterable[Tool],
        given: Mapping[str, Any],
    ) -> tuple[_remuda.Session, Desk]:
        desk = Desk(on_request, tools)
        options = {"cwd": ".", **given, **desk.options(), "provider": provider}
        return self._native.open(_encode.options("SessionOptions", options)), desk

    def __repr__(self) -> str:
        numbers = self.stats()
        return f"{type(self).__name__}(sessions={numbers.sessions}, processes={numbers.processes})"
