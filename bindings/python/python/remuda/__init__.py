"""Remuda keeps coding-agent programs warm and gives back one ordered stream of events, the same for every agent.

    async with remuda.Pool(max_warm=5) as pool:
        session = await pool.open("claude", cwd=".")
        async for event in session.send("What is in this folder?"):
            print(event)

Works under asyncio and trio. `remuda.sync` is the same without an event loop.
"""

from __future__ import annotations

import json as _json
from typing import Any as _Any

from remuda import _events
from remuda import _exit as _exit
from remuda._asynchronous import Pool, Session, Turn
from remuda._common import Hold
from remuda._errors import ForkedError, RemudaError, TurnFailedError, TurnInterruptedError
from remuda._events import *  # pyright: ignore[reportWildcardImportFromLibrary]
from remuda._hub import answer_now as _answer_now
from remuda._remuda import __version__
from remuda._remuda import capabilities as _capabilities
from remuda._requests import (
    Answer,
    Handler,
    Tool,
    allow,
    answers,
    content,
    deny,
    tool,
    tool_result,
)
from remuda._results import PoolStats, Receipt, SessionSnapshot, Shutdown, SteerResult


def capabilities() -> dict[str, dict[str, dict[str, bool]]]:
    """What each provider can do: by provider and feature, whether in a `warm` and in a `one_shot` process."""
    table: dict[str, dict[str, dict[str, bool]]] = _json.loads(_capabilities())
    return table


def doctor(timeout: float = 10.0) -> dict[str, _Any]:
    """Which agents are installed and logged in, and how surely process trees end here. Blocks, and
    Ctrl-C ends the wait: see `python -m remuda doctor`.
    """
    from remuda._remuda import doctor

    report: dict[str, _Any] = _json.loads(_answer_now(doctor(timeout)))
    return report


__all__ = [
    "Answer",
    "ForkedError",
    "Handler",
    "Hold",
    "Pool",
    "PoolStats",
    "Receipt",
    "RemudaError",
    "Session",
    "SessionSnapshot",
    "Shutdown",
    "SteerResult",
    "Tool",
    "Turn",
    "TurnFailedError",
    "TurnInterruptedError",
    "__version__",
    "allow",
    "answers",
    "capabilities",
    "content",
    "deny",
    "doctor",
    "tool",
    "tool_result",
]
__all__ += _events.__all__
