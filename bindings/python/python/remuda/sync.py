"""The same without an event loop: `remuda.sync.Pool`, for scripts and threads.

Every wait can be interrupted with Ctrl-C. Questions of agents are answered by `on_request` and by tools while the
thread that has the session waits for a turn of it.
"""

from __future__ import annotations

import inspect
import json
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from remuda import _encode, _remuda
from remuda._common import PoolBase, SessionBase, TurnBase, drained
from remuda._errors import RemudaError
from remuda._events import Changed, Event, RequestOpened, TurnResult
from remuda._hub import MOST, Source, answer_now
from remuda._requests import Answer, Desk, Handler, Tool
from remuda._results import OnBusy, Receipt, Shutdown, SteerResult, shutdown

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from remuda._options import Budget, Change, PoolOptions, SessionOptions


class Turn(TurnBase):
    """An accepted message and everything until its one end. `for event in turn` gives its events."""

    def __init__(self, native: _remuda.Turn, session: Session) -> None:
        super().__init__(native)
        self._session = session

    def __iter__(self) -> Iterator[Event]:
        while True:
            try:
                event = self._taken.popleft()
            except IndexError:
                pass
            else:
                yield event
                continue
            taken = self._portion()
            if taken is None:
                return
            self._taken.extend(taken)

    def batches(self) -> Iterator[list[Event]]:
        """The same events, all that wait at a time."""
        while True:
            batch = drained(self._taken) or self._portion()
            if batch is None:
                return
            yield batch

    def _portion(self) -> list[Event] | None:
        return self._session._portion(self._native)

    def result(self) -> TurnResult:
        """Waits for the end. Raises `TurnFailedError` or `TurnInterruptedError`."""
        return TurnResult._of(json.loads(self._session._answer(self._native.result())))

    def interrupt(self, *, keep_commands: bool = False, drop_queue: bool = False) -> Receipt:
        """Asks the agent to end the turn. It ends as interrupted, unless it ended by itself before."""
        return self._session.interrupt(self.id, keep_commands=keep_commands, drop_queue=drop_queue)


class Session(SessionBase):
    """One conversation with an agent. It outlives the agent's processes."""

    def __init__(self, native: _remuda.Session, desk: Desk) -> None:
        super().__init__(native, desk)
        # Taken, and not yet answered: a handler that Ctrl-C ends leaves the rest to the next wait.
        self._asked: deque[Event] = deque()

    def send(
        self,
        text: str,
        *,
        attachments: Iterable[_encode.Attached] = (),
        output_schema: Mapping[str, Any] | None = None,
        tag: int | None = None,
        on_busy: OnBusy = "reject",
        budget: Budget | None = None,
    ) -> Turn:
        """Sends a message. Accepted or refused at once: an accepted turn gets exactly one end."""
        native = self._begin(text, attachments, output_schema, tag, on_busy, budget)
        return Turn(native, self)

    def ask(
        self,
        text: str,
        *,
        attachments: Iterable[_encode.Attached] = (),
        output_schema: Mapping[str, Any] | None = None,
        tag: int | None = None,
        on_busy: OnBusy = "reject",
        budget: Budget | None = None,
    ) -> TurnResult:
        """Sends a message and waits for the result."""
        native = self._begin(text, attachments, output_schema, tag, on_busy, budget)
        return Turn(native, self).result()

    def steer(
        self,
        text: str,
        *,
        attachments: Iterable[_encode.Attached] = (),
        tag: int | None = None,
    ) -> SteerResult[Turn]:
        """Lets a message join the running turn; where that cannot be, it runs or waits as a turn of its own."""
        more = _encode.message(attachments, None)
        sending = _encode.sending("steer", tag, None)
        became = self._answer(self._native.send_with(text, more, sending))
        if isinstance(became, int):
            return SteerResult(became, None)
        return SteerResult(None, Turn(became, self))

    def interrupt(self, turn: int, *, keep_commands: bool = False, drop_queue: bool = False) -> Receipt:
        """Ends a turn that runs, the host's or the agent's own, or that waits."""
        options = {"keep_commands": keep_commands, "drop_queue": drop_queue}
        call = self._native.interrupt(turn, _encode.dumps(options))
        receipt: Receipt = json.loads(answer_now(call))
        return receipt

    def answer(self, request: int, said: Answer) -> None:
        """Answers a question of the agent, once."""
        answer_now(self._native.answer(request, said.json))

    def change(self, **settings: Unpack[Change]) -> Changed:
        """Changes settings: in the running process where the agent can, else by replacing it between two turns."""
        change = _encode.options("Change", settings)
        how: Changed = json.loads(self._answer(self._native.change(change)))
        return how

    def operate(self, operation: str, **arguments: Any) -> Any:
        """Does something with the conversation, as `remuda.Session.operate`."""
        told = _encode.dumps({"operation": operation, **arguments})
        return json.loads(self._answer(self._native.operate(told)))

    def events(self, from_seq: int = 1) -> Iterator[Event]:
        """The session's events from `from_seq` on (1 is the first), then live, until it is closed."""
        reader = self._native.events(from_seq)
        while True:
            taken = self._portion(reader)
            if taken is None:
                return
            yield from taken

    def close(self) -> list[int]:
        """Closes the session and waits until its tree is gone. The answer names processes that are left, by pid."""
        left: list[int] = json.loads(answer_now(self._native.closed()))
        return left

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _portion(self, source: Source[Event]) -> list[Event] | None:
        """Waits for something to read, and answers questions meanwhile."""
        with _remuda.Inbox() as inbox:
            while True:
                self._attend(inbox)
                taken = source.take(inbox, MOST)
                if taken is None or taken:
                    return taken
                inbox.wait()

    def _answer(self, call: _remuda.Call) -> Any:
        """Waits for a call, and answers questions meanwhile."""
        with _remuda.Inbox() as inbox:
            while True:
                given = call.poll(inbox)
                if given is not None:
                    return given[0]
                self._attend(inbox)
                inbox.wait()

    def _attend(self, inbox: _remuda.Inbox) -> None:
        """Answers the questions that came."""
        while self._reader is not None:
            self._asked.extend(self._reader.take(inbox, MOST) or ())
            try:
                event = self._asked.popleft()
            except IndexError:
                return
            if isinstance(event, RequestOpened) and event.deadline_unix:
                self._handle(event)

    def _handle(self, request: RequestOpened) -> None:
        try:
            said = self._desk.work(request)()
            if inspect.iscoroutine(said):
                said.close()
                raise TypeError("remuda.sync calls plain functions, and this one is async")
            call = self._native.answer(request.request, self._desk.answer(request, said).json)
        except Exception as error:
            self._desk.apologise(self._native, request, error)
            return
        except BaseException as error:
            self._desk.apologise(self._native, request, error)
            raise
        try:
            answer_now(call)
        except RemudaError as error:
            # Somebody was faster, or the turn is over. What the question does not take is the handler's fault.
            if error.code == "invalid_argument":
                self._desk.apologise(self._native, request, error)


class Pool(PoolBase):
    """A bounded herd of warm agent processes, and the sessions that use them. `with` shuts it down at the end."""

    def __init__(self, **options: Unpack[PoolOptions]) -> None:
        super().__init__(options)

    def open(
        self,
        provider: str,
        *,
        on_request: Handler | None = None,
        tools: Iterable[Tool] = (),
        **options: Unpack[SessionOptions],
    ) -> Session:
        """Opens a session. Starts no process: the first turn does."""
        return Session(*self._open(provider, on_request, tools, options))

    def shutdown(self, timeout: float = 10.0) -> Shutdown:
        """Closes every session and ends every process, gently as long as there is time, then not."""
        return shutdown(answer_now(self._native.shutdown(timeout)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()


__all__ = ["Pool", "Session", "Turn"]
