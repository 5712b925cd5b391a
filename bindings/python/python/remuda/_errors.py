"""What goes wrong, as exceptions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from remuda._events import ErrorKind, Failure, TurnResult


class RemudaError(Exception):
    """A refused call, or a turn without a good end.

    `code` is what to act on, the message what to read. The hundreds of `number` say who must act: 1xx the caller, 2xx
    the host or its system, 3xx the agent or the service behind it, 9xx this library.
    """

    code: ErrorKind | str
    """The stable name: `turn_in_progress`, `program_not_found`, …"""
    number: int
    """The stable number."""
    message: str
    """One line to read."""

    def __init__(self, code: str, number: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.number = number
        self.message = message

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.code, self.number, self.message))


class TurnFailedError(RemudaError):
    """The turn ended with a failure."""

    failure: Failure
    """Why: with the exit of the process and the last of its stderr, where it is at fault."""
    result: TurnResult
    """What the turn gave until then, also of a message that was not whole."""

    def __init__(self, failure: Failure, result: TurnResult) -> None:
        super().__init__(failure.code, _numbers().get(failure.code, 0), failure.message)
        self.failure = failure
        self.result = result

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.failure, self.result))


class TurnInterruptedError(RemudaError):
    """The turn was interrupted. That is no failure, and has no number."""

    result: TurnResult
    """What the turn gave until then, also of a message that was not whole."""

    def __init__(self, result: TurnResult) -> None:
        super().__init__("interrupted", 0, "the turn was interrupted")
        self.result = result

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.result,))


class ForkedError(RemudaError):
    """It was made before a fork, and this is the copy: only the process that made it can use it."""

    def __init__(self, *_: object) -> None:
        super().__init__(
            "forked",
            250,
            "it belongs to the process that forked this one; make a pool of your own after the fork",
        )


def _numbers() -> dict[str, int]:
    from remuda import _remuda

    return {name: number for number, name in _remuda.error_kinds()}


def error(code: str, number: int, message: str) -> RemudaError:
    """Makes the exception of a refused call."""
    return RemudaError(code, number, message)


def turn_failed(failure: str, result: str) -> TurnFailedError:
    """Makes the exception of a failed turn, of their JSON."""
    from remuda._events import Failure, TurnResult

    return TurnFailedError(Failure._of(json.loads(failure)), TurnResult._of(json.loads(result)))


def turn_interrupted(result: str) -> TurnInterruptedError:
    """Makes the exception of an interrupted turn, of its JSON."""
    from remuda._events import TurnResult

    return TurnInterruptedError(TurnResult._of(json.loads(result)))


def forked() -> ForkedError:
    """Makes the exception of a forked copy."""
    return ForkedError()
