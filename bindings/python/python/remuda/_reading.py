"""Events under an event loop, as they come.

Iterators, not generators: a wait that is cancelled loses nothing and ends nothing. Several may read one turn; each
event goes to one of them.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Callable

from remuda._common import drained
from remuda._events import Event
from remuda._hub import MOST, Source, hub

if TYPE_CHECKING:
    from typing_extensions import Self


class _Reading:
    """Reads a source. `attend` is the session's, and so keeps it open."""

    def __init__(self, source: Source[Event], taken: deque[Event], attend: Callable[[], None]) -> None:
        self._source = source
        # Taken, and not yet given.
        self._taken = taken
        self._attend = attend

    def __aiter__(self) -> Self:
        return self

    async def _portion(self) -> list[Event]:
        """What there is, or, after a wait, nothing: then it is to be looked for again."""
        at = hub()
        found = self._source.take(at.inbox, MOST)
        if found is None:
            raise StopAsyncIteration
        if not found:
            self._attend()
            await at.wait(self._source.id)
        return found


class Events(_Reading):
    """One by one."""

    async def __anext__(self) -> Event:
        while True:
            try:
                return self._taken.popleft()
            except IndexError:
                pass
            self._taken.extend(await self._portion())


class Batches(_Reading):
    """All that wait at a time."""

    async def __anext__(self) -> list[Event]:
        while True:
            batch = drained(self._taken) or await self._portion()
            if batch:
                return batch
