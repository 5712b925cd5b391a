"""From what Python people write to the JSON of core."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterable, Mapping
from typing import Any, Union

from remuda._options import FIELDS

Attached = Union[str, "os.PathLike[str]", Mapping[str, Any]]
"""A path, or an object with `path` or `bytes`, and `media_type` and `name` if they are to be others."""


def _plain(value: object) -> object:
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise TypeError(f"{type(value).__name__} has no JSON form: {value!r}")


def dumps(value: object) -> str:
    """JSON, with paths as texts."""
    return json.dumps(value, default=_plain)


def renamed(struct: str, value: Any) -> Any:
    """Options with the names and units of JSON. What is not known is left for core to refuse by name."""
    if isinstance(value, list):
        return [renamed(struct, one) for one in value]
    if not isinstance(value, Mapping):
        return value
    known = FIELDS.get(struct, {})
    out: dict[str, Any] = {}
    for name, member in value.items():
        key, kind = known.get(name, (name, ""))
        if kind == "ms":
            member = None if member is None else millis(name, member)
        elif kind:
            member = renamed(kind, member)
        out[key] = member
    return out


def millis(name: str, seconds: Any) -> int:
    """Whole milliseconds of seconds; infinite ones are as long as core waits for anything."""
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not seconds >= 0:
        from remuda._errors import RemudaError

        raise RemudaError("invalid_argument", 100, f"{name}: {seconds!r} are no seconds")
    return round(min(seconds * 1000, 2**63))


def options(struct: str, given: Mapping[str, Any]) -> str:
    """Options as JSON. `None` means: the default."""
    return dumps(renamed(struct, {name: one for name, one in given.items() if one is not None}))


def _attachment(one: Attached) -> dict[str, Any]:
    if not isinstance(one, Mapping):
        return {"path": os.fspath(one)}
    out = dict(one)
    data = out.get("bytes")
    if isinstance(data, (bytes, bytearray, memoryview)):
        out["bytes"] = base64.b64encode(data).decode("ascii")
    return out


def message(attachments: Iterable[Attached], output_schema: Mapping[str, Any] | None) -> str | None:
    """What a message has beside its text, as JSON; `None`: nothing."""
    more: dict[str, Any] = {}
    attached = [_attachment(one) for one in attachments]
    if attached:
        more["attachments"] = attached
    if output_schema is not None:
        more["output_schema"] = output_schema
    return dumps(more) if more else None


def sending(on_busy: str, tag: int | None, budget: Mapping[str, Any] | None) -> str:
    """How a message is sent, as JSON."""
    out: dict[str, Any] = {"on_busy": on_busy, "tag": tag}
    if budget:
        out["budget"] = renamed("Budget", budget)
    return dumps(out)
