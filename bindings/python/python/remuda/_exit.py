"""Forks, and the end of the interpreter."""

from __future__ import annotations

import atexit
import os
import weakref

from remuda import _remuda

POOLS: weakref.WeakSet[_remuda.Pool] = weakref.WeakSet()
"""The pools of this process."""


def _leave() -> None:
    _remuda.leave(list(POOLS))


def _forked() -> None:
    # What the copy has of them it may not use.
    POOLS.clear()
    _remuda.forked()


atexit.register(_leave)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
