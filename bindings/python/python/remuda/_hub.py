"""How a task waits for something of the library, under asyncio and under trio.

One inbox, and so one descriptor, per event loop. When it is readable the loop takes the numbers of all sources that
have something, and wakes the tasks that wait for them; each takes what it waits for by itself. No other thread ever
calls into Python.
"""

from __future__ import annotations

import asyncio
import sys
import weakref
from collections.abc import Coroutine
from typing import Any, Callable, Protocol, TypeVar

from remuda._remuda import Call, Inbox

T = TypeVar("T")

MOST = 512
"""So many events are taken at once at most, so that one session does not keep a loop from the others."""


class Source(Protocol[T]):
    """Something to read: of a turn, of a session, of a lent process."""

    @property
    def id(self) -> int:
        """Its number in inboxes."""
        ...

    def take(self, inbox: Inbox, most: int, /) -> list[T] | None:
        """What waits; `None` after the last."""
        ...


class Job(Protocol):
    """A task in the background."""

    def is_alive(self) -> bool:
        """Whether it goes on."""
        ...

    def cancel(self) -> None:
        """Ends it. Only from its own loop."""
        ...


class AsyncioHub:
    """Of one asyncio loop. The loop keeps it, by its reader."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.inbox = Inbox()
        self._waiting: dict[int, list[asyncio.Future[None]]] = {}
        loop.add_reader(self.inbox.fileno(), self._wake)

    def _wake(self) -> None:
        for source in self.inbox.take():
            self.poke(source)

    async def wait(self, source: int) -> None:
        """Until the source has something. May return sooner."""
        future = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault(source, [])
        waiting.append(future)
        try:
            await future
        finally:
            waiting.remove(future)
            # The last that waits takes the entry with it.
            if not waiting and self._waiting.get(source) is waiting:
                del self._waiting[source]

    def poke(self, source: int) -> None:
        """Lets whoever waits for a source look again."""
        for future in self._waiting.pop(source, ()):
            if not future.done():
                future.set_result(None)

    def spawn(self, work: Coroutine[Any, Any, None]) -> Job:
        """Runs a task in the background."""
        task = asyncio.get_running_loop().create_task(work)
        _TASKS.add(task)
        task.add_done_callback(_done)
        return AsyncioJob(task)

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Runs what may block on a thread."""
        return await asyncio.get_running_loop().run_in_executor(None, work)


_TASKS: set[asyncio.Task[None]] = set()


def _done(task: asyncio.Task[None]) -> None:
    _TASKS.discard(task)
    if task.cancelled():
        return
    error = task.exception()
    # These two the loop has raised already.
    if error is not None and not isinstance(error, (SystemExit, KeyboardInterrupt)):
        context = {"message": "remuda: a fault of this library", "exception": error, "task": task}
        task.get_loop().call_exception_handler(context)


class AsyncioJob:
    """A task of asyncio."""

    def __init__(self, task: asyncio.Task[None]) -> None:
        self._task = task

    def is_alive(self) -> bool:
        """Whether it goes on. A loop that does not run may never run again."""
        return not self._task.done() and self._task.get_loop().is_running()

    def cancel(self) -> None:
        """Ends it."""
        self._task.cancel()


class TrioHub:
    """Of one run of trio."""

    def __init__(self) -> None:
        import trio

        self.inbox = Inbox()
        self._waiting: dict[int, trio.Event] = {}
        trio.lowlevel.spawn_system_task(self._pump)

    async def _pump(self) -> None:
        import trio

        fd = self.inbox.fileno()
        while True:
            await trio.lowlevel.wait_readable(fd)
            for source in self.inbox.take():
                self.poke(source)

    async def wait(self, source: int) -> None:
        """Until the source has something. May return sooner."""
        import trio

        waiting = self._waiting.setdefault(source, trio.Event())
        try:
            await waiting.wait()
        finally:
            # The last that waits takes the entry with it.
            if self._waiting.get(source) is waiting and not waiting.statistics().tasks_waiting:
                del self._waiting[source]

    def poke(self, source: int) -> None:
        """Lets whoever waits for a source look again."""
        waiting = self._waiting.pop(source, None)
        if waiting is not None:
            waiting.set()

    def spawn(self, work: Coroutine[Any, Any, None]) -> Job:
        """Runs a task in the background."""
        import trio

        job = TrioJob(work)
        trio.lowlevel.spawn_system_task(job.run)
        return job

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Runs what may block on a thread."""
        import trio

        return await trio.to_thread.run_sync(work)


class TrioJob:
    """A system task of trio."""

    def __init__(self, work: Coroutine[Any, Any, None]) -> None:
        import trio

        self._work = work
        self._scope = trio.CancelScope()
        self._is_over = False

    async def run(self) -> None:
        """Does the work."""
        try:
            with self._scope:
                await self._work
        finally:
            self._is_over = True

    def is_alive(self) -> bool:
        """Whether it goes on. The end of a run cancels it."""
        return not self._is_over

    def cancel(self) -> None:
        """Ends it."""
        self._scope.cancel()


Hub = Any
_asyncio_hubs: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, weakref.ref[AsyncioHub]] = (
    weakref.WeakKeyDictionary()
)


def _trio_hub() -> TrioHub | None:
    trio = sys.modules.get("trio")
    if trio is None or not trio.lowlevel.in_trio_task():
        return None
    try:
        hub: TrioHub = _trio_var().get()
    except LookupError:
        hub = TrioHub()
        _trio_var().set(hub)
    return hub


def _trio_var() -> Any:
    import trio

    global _TRIO
    if _TRIO is None:
        _TRIO = trio.lowlevel.RunVar("remuda hub")
    return _TRIO


_TRIO: Any = None


def hub() -> Hub:
    """The hub of whoever runs this task."""
    trio = _trio_hub()
    if trio is not None:
        return trio
    loop = asyncio.get_running_loop()
    known = _asyncio_hubs.get(loop)
    made = known() if known is not None else None
    if made is None:
        made = AsyncioHub(loop)
        _asyncio_hubs[loop] = weakref.ref(made)
    return made


async def answer(call: Call) -> Any:
    """Waits for a call. Cancelling it leaves open whether the call takes effect."""
    at = hub()
    while True:
        given = call.poll(at.inbox)
        if given is not None:
            return given[0]
        await at.wait(call.id)


async def portion(source: Source[T]) -> list[T] | None:
    """Waits for something to read. What was not returned comes next time; `None`: there is nothing more."""
    at = hub()
    while True:
        taken = source.take(at.inbox, MOST)
        if taken is None or taken:
            return taken
        await at.wait(source.id)


def answer_now(call: Call) -> Any:
    """Waits for a call on this thread. Signals interrupt the wait."""
    with Inbox() as inbox:
        while True:
            given = call.poll(inbox)
            if given is not None:
                return given[0]
            inbox.wait()
