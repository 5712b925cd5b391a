"""The pool under an event loop: asyncio or trio."""

from __future__ import annotations

import inspect
import json
import weakref
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
from remuda._events import Changed, Event, RequestOpened, TurnResult
from remuda._hub import MOST, answer, hub, portion
from remuda._requests import Answer, Desk, Handler, Tool
from remuda._results import OnBusy, Receipt, Shutdown, SteerResult, shutdown

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from remuda._options import Budget, Change, PoolOptions, SessionOptions

REQUESTS = [number for number, name in _remuda.event_kinds() if name == "request_opened"]


class Turn(TurnBase):
    """An accepted message and everything until its one end.

    `async for event in turn` gives its events, the end included. Nothing is lost by a cancelled iteration: the next one
    goes on behind it. Nothing is lost by not reading, either: the turn goes on.
    """

    def __aiter__(self) -> AsyncIterator[Event]:
        return self._events()

    async def _events(self) -> AsyncIterator[Event]:
        native, at = self._native, hub()
        while True:
            for event in self._taken:
                yield event
            taken = native.take(at.inbox, MOST)
            if taken is None:
                return
            if taken:
                self._taken = iter(taken)
            else:
                await at.wait(native.id)

    async def batches(self) -> AsyncIterator[list[Event]]:
        """The same events, all that wait at a time: one list per wake-up."""
        rest = list(self._taken)
        if rest:
            yield rest
        while True:
            taken = await portion(self._native)
            if taken is None:
                return
            yield taken

    async def result(self) -> TurnResult:
        """Waits for the end, beside whoever reads the events. Raises `TurnFailedError` or `TurnInterruptedError`."""
        return TurnResult._of(json.loads(await answer(self._native.result())))

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
        became = await answer(self._native.send_with(text, more, sending))
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
        how: Changed = json.loads(await answer(self._native.change(change)))
        return how

    async def operate(self, operation: str, **arguments: Any) -> Any:
        """Does something with the conversation: `compact`, `list_models`, `list_commands`, `mcp_status`,
        `context_usage`, `rewind` (`before`), `fork`, `list_tasks`, `stop_tasks` (`task`). Gives what the agent says.
        """
        told = _encode.dumps({"operation": operation, **arguments})
        return json.loads(await answer(self._native.operate(told)))

    async def events(self, from_seq: int = 1) -> AsyncIterator[Event]:
        """The session's events from `from_seq` on (1 is the first), then live, until it is closed.

        A reader that does not read makes the agent wait, after the pool's `log_bytes`.
        """
        reader = self._native.events(from_seq)
        while True:
            taken = await portion(reader)
            if taken is None:
                return
            for event in taken:
                yield event

    async def close(self) -> list[int]:
        """Closes the session and waits until its tree is gone. The answer names processes that are left, by pid."""
        left: list[int] = json.loads(await answer(self._native.closed()))
        return left

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _attend(self) -> None:
        """Begins to answer questions."""
        if self._desk.is_staffed():
            reader = self._native.events(1, REQUESTS)
            hub().spawn(_attend(reader, self._desk, weakref.ref(self)))


async def _attend(reader: _remuda.Reader, desk: Desk, session: Callable[[], Session | None]) -> None:
    """Answers questions as they come, each in a task of its own, until the session is closed."""
    while True:
        taken = await portion(reader)
        if taken is None:
            return
        for event in taken:
            open_session = session()
            if open_session is not None and isinstance(event, RequestOpened) and event.deadline_unix:
                hub().spawn(_handle(event, desk, open_session))
            del open_session


async def _handle(request: RequestOpened, desk: Desk, session: Session) -> None:
    work = desk.work(request)
    try:
        said = await hub().in_thread(work) if desk.is_blocking(request) else work()
        if inspect.isawaitable(said):
            said = await said
        answered = desk.answer(request, said)
    except Exception as error:
        answered = desk.apology(request, error)
    try:
        await session.answer(request.request, answered)
    except RemudaError as error:
        # Somebody was faster, or the turn is over. What the question does not take is the handler's fault.
        if error.code == "invalid_argument":
            await session.answer(request.request, desk.apology(request, error))


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

        `on_request` answers the agent's questions; without it, and without tools, they are denied at once. `cwd` is the
        host's own directory if it is not given.
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
