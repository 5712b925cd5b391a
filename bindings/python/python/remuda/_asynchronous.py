"""The pool under an event loop: asyncio or trio."""

from __future__ import annotations

import inspect
import json
import weakref
from collections import deque
from collections.abc import AsyncIterator, Generator, Iterable, Mapping
from types import TracebackType
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
)

from remuda import _encode, _remuda
from remuda._common import PoolBase, SessionBase, TurnBase
from remuda._errors import RemudaError
from remuda._events import Changed, Event, RequestOpened, RequestResolved, TurnResult
from remuda._hub import Job, answer, hub, portion
from remuda._reading import Batches, Events
from remuda._requests import Answer, Desk, Handler, Tool
from remuda._results import OnBusy, Receipt, Shutdown, SteerResult, shutdown

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from remuda._options import Budget, Change, PoolOptions, SessionOptions


class Turn(TurnBase):
    """An accepted message and everything until its one end.

    `async for event in turn` gives its events, the end included. Nothing is lost by a cancelled iteration: the next one
    goes on behind it. Nothing is lost by not reading, either: the turn goes on. Where several tasks read, each event
    goes to one of them.
    """

    def __aiter__(self) -> AsyncIterator[Event]:
        return Events(self._native, self._taken, self._session._attend)

    def batches(self) -> AsyncIterator[list[Event]]:
        """The same events, all that wait at a time: one list per wake-up."""
        return Batches(self._native, self._taken, self._session._attend)

    async def result(self) -> TurnResult:
        """Waits for the end, beside whoever reads the events. Raises `TurnFailedError` or `TurnInterruptedError`."""
        return TurnResult._of(json.loads(await self._session._answer(self._native.result())))

    def __await__(self) -> Generator[Any, None, TurnResult]:
        return self.result().__await__()

    async def interrupt(self, *, keep_commands: bool = False, drop_queue: bool = False) -> Receipt:
        """Asks the agent to end the turn. It ends as interrupted, unless it ended by itself before."""
        return await self._session.interrupt(self.id, keep_commands=keep_commands, drop_queue=drop_queue)

    def __init__(self, native: _remuda.Turn, session: Session) -> None:
        super().__init__(native)
        self._session = session


class Session(SessionBase):
    """One conversation with an agent. It outlives the agent's processes.

    Closed by `close`, at the end of an `async with` block, or when it and its turns are no longer used.
    """

    def __init__(self, native: _remuda.Session, desk: Desk) -> None:
        super().__init__(native, desk)
        self._attendant: Job | None = None

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
        """Sends a message. Accepted or refused at once: an accepted turn gets exactly one end.

        Files that are attached by path are read before this returns.
        """
        native = self._begin(text, attachments, output_schema, tag, on_busy, budget)
        self._attend()
        return Turn(native, self)

    async def ask(
        self,
        text: str,
        *,
        attachments: Iterable[_encode.Attached] = (),
        output_schema: Mapping[str, Any] | None = None,
        tag: int | None = None,
        on_busy: OnBusy = "reject",
        budget: Budget | None = None,
    ) -> TurnResult:
        """Sends a message and waits for the result. Cancelling it does not end the turn."""
        native = self._begin(text, attachments, output_schema, tag, on_busy, budget)
        return await Turn(native, self).result()

    async def steer(
        self,
        text: str,
        *,
        attachments: Iterable[_encode.Attached] = (),
        tag: int | None = None,
    ) -> SteerResult[Turn]:
        """Lets a message join the running turn; where that cannot be, it runs or waits as a turn of its own."""
        more = _encode.message(attachments, None)
        sending = _encode.sending("steer", tag, None)
        became = await self._answer(self._native.send_with(text, more, sending))
        if isinstance(became, int):
            return SteerResult(became, None)
        return SteerResult(None, Turn(became, self))

    async def interrupt(self, turn: int, *, keep_commands: bool = False, drop_queue: bool = False) -> Receipt:
        """Ends a turn that runs, the host's or the agent's own, or that waits."""
        options = {"keep_commands": keep_commands, "drop_queue": drop_queue}
        call = self._native.interrupt(turn, _encode.dumps(options))
        receipt: Receipt = json.loads(await answer(call))
        return receipt

    async def answer(self, request: int, said: Answer) -> None:
        """Answers a question of the agent, once."""
        await answer(self._native.answer(request, said.json))

    async def change(self, **settings: Unpack[Change]) -> Changed:
        """Changes settings: in the running process where the agent can, else by replacing it between two turns."""
        change = _encode.options("Change", settings)
        how: Changed = json.loads(await self._answer(self._native.change(change)))
        return how

    async def operate(self, operation: str, **arguments: Any) -> Any:
        """Does something with the conversation: `compact`, `list_models`, `list_commands`, `mcp_status`,
        `context_usage`, `rewind` (`before`), `fork`, `list_tasks`, `stop_tasks` (`task`). Gives what the agent says.
        """
        told = _encode.dumps({"operation": operation, **arguments})
        return json.loads(await self._answer(self._native.operate(told)))

    def events(self, from_seq: int = 1) -> AsyncIterator[Event]:
        """The session's events from `from_seq` on (1 is the first), then live, until it is closed.

        A reader that does not read makes the agent wait, after the pool's `log_bytes`.
        """
        return Events(self._native.events(from_seq), deque(), self._attend)

    async def close(self) -> list[int]:
        """Closes the session and waits until its tree is gone. The answer names processes that are left, by pid."""
        left: list[int] = json.loads(await answer(self._native.closed()))
        return left

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _answer(self, call: _remuda.Call) -> Any:
        """Waits for a call, while questions are answered."""
        self._attend()
        return await answer(call)

    def _attend(self) -> None:
        """Sees to it that questions are answered: in this loop, where the one that did so is gone."""
        if self._reader is None or (self._attendant is not None and self._attendant.is_alive()):
            return
        try:
            at = hub()
        except RuntimeError:
            # A message that is sent outside of a loop: whoever waits for its turn sees to it.
            return
        self._attendant = at.spawn(_attend(self._reader, weakref.ref(self)))


async def _attend(reader: _remuda.Reader, session: Callable[[], Session | None]) -> None:
    """Answers questions as they come, each in a task of its own, until the session is closed. Does not keep it open."""
    handling: dict[int, Job] = {}
    while True:
        taken = await portion(reader)
        if taken is None:
            return
        for event in taken:
            open_session = session()
            if isinstance(event, RequestResolved):
                job = handling.pop(event.request, None)
                # A handler whose answer was taken may have more to do.
                if job is not None and event.by != "host":
                    job.cancel()
            elif open_session is not None and isinstance(event, RequestOpened) and event.deadline_unix:
                handling[event.request] = hub().spawn(_handle(event, open_session))
            del open_session


async def _handle(request: RequestOpened, session: Session) -> None:
    desk = session._desk
    work = desk.work(request)
    try:
        said = await hub().in_thread(work) if desk.is_blocking(request) else work()
        if inspect.isawaitable(said):
            said = await said
        call = session._native.answer(request.request, desk.answer(request, said).json)
    except Exception as error:
        desk.apologise(session._native, request, error)
        return
    except BaseException as error:
        desk.apologise(session._native, request, error)
        raise
    try:
        await answer(call)
    except RemudaError as error:
        # Somebody was faster, or the turn is over. What the question does not take is the handler's fault.
        if error.code == "invalid_argument":
            desk.apologise(session._native, request, error)


class Pool(PoolBase):
    """A bounded herd of warm agent processes, and the sessions that use them.

    Works under asyncio and trio, and in several threads and loops at the same time. `async with` shuts it down.
    """

    def __init__(self, **options: Unpack[PoolOptions]) -> None:
        super().__init__(options)

    async def open(
        self,
        provider: str,
        *,
        on_request: Handler | None = None,
        tools: Iterable[Tool] = (),
        **options: Unpack[SessionOptions],
    ) -> Session:
        """Opens a session. Starts no process: the first turn does.

        `on_request` answers the agent's questions; without it, and without tools, they are denied at once. It is called
        in this loop, or, when this one is gone, in the one that uses the session; it is cancelled when its question is
        no longer open. `cwd` is the host's own directory if it is not given.
        """
        session = Session(*self._open(provider, on_request, tools, options))
        session._attend()
        return session

    async def shutdown(self, timeout: float = 10.0) -> Shutdown:
        """Closes every session and ends every process, gently as long as there is time, then not."""
        return shutdown(await answer(self._native.shutdown(timeout)))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.shutdown()
