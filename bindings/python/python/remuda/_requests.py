"""Questions of agents, what is answered, and tools of the host."""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import json
import typing
from collections.abc import Awaitable, Iterable, Mapping
from typing import Any, Callable, Union

from remuda._encode import dumps
from remuda._errors import RemudaError
from remuda._events import RequestOpened
from remuda._options import Scope
from remuda._remuda import Inbox, Session, show


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a host says to a question. Made by `allow`, `deny`, `answers`, `content` and `tool_result`."""

    data: Mapping[str, Any]
    """Its JSON."""

    @property
    def json(self) -> str:
        """The same as text."""
        return dumps(self.data)


Answering = Union[Answer, bool]
"""What a handler may say: an answer, or yes or no."""
Handler = Callable[[RequestOpened], Union[Answering, Awaitable[Answering]]]
"""Answers questions of agents. It may be a plain function, or, under an event loop, an async one."""


def allow(scope: Scope = "once", *, input: object = None) -> Answer:  # noqa: A002
    """Yes. `input` replaces the tool's input, whole, where `allow_changed` stands among the decisions."""
    return Answer({"answer": "allow", "scope": scope, "input": input})


def deny(message: str = "", *, interrupt: bool = False) -> Answer:
    """No. `message` is told to the agent; `interrupt` ends the turn as well."""
    return Answer({"answer": "deny", "message": message, "interrupt": interrupt})


def answers(chosen: Mapping[str, str | Iterable[str]]) -> Answer:
    """What the user said to each question, by the question's id: a text, or several."""
    said = {name: [one] if isinstance(one, str) else list(one) for name, one in chosen.items()}
    return Answer({"answer": "answers", "answers": said})


def content(value: Mapping[str, Any]) -> Answer:
    """The content that an MCP server asked for. It must fit the schema in the question's `input`."""
    return Answer({"answer": "content", "content": value})


def tool_result(text: str, *, is_error: bool = False) -> Answer:
    """What the host's tool gave."""
    return Answer({"answer": "result", "text": text, "is_error": is_error})


@dataclasses.dataclass(frozen=True)
class Tool:
    """A function that agents may call. Made by `remuda.tool`; it can still be called as before."""

    function: Callable[..., Any]
    """The function, plain or async."""
    name: str
    """What the agent calls it."""
    description: str
    """What it does, for the model."""
    input_schema: Mapping[str, Any]
    """The JSON Schema of its arguments. What does not fit never reaches the function."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Calls the function."""
        return self.function(*args, **kwargs)

    @property
    def is_async(self) -> bool:
        """Whether the function is to be awaited."""
        return inspect.iscoroutinefunction(self.function)

    def option(self) -> dict[str, Any]:
        """What core is told of it."""
        return {
            "name": self.name,
            "description": self.description,
            "input_schema": dict(self.input_schema),
        }


@typing.overload
def tool(function: Callable[..., Any], /) -> Tool: ...
@typing.overload
def tool(*, name: str | None = None, description: str | None = None) -> Callable[[Callable[..., Any]], Tool]: ...
def tool(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
) -> Tool | Callable[[Callable[..., Any]], Tool]:
    """Makes a tool of a typed function: its name, its docstring, and a schema of its annotations.

    `Annotated[int, "how many"]` describes an argument. The result is told to the model as it is if it is a text, else
    as JSON. An exception becomes an error that the model sees, with its text. A plain function runs on a thread.
    """

    def make(function: Callable[..., Any]) -> Tool:
        told = inspect.getdoc(function) if description is None else description
        return Tool(function, name or function.__name__, told or "", schema_of(function))

    return make if function is None else make(function)


_PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}
_UNIONS: tuple[Any, ...] = (Union, getattr(__import__("types"), "UnionType", Union))


def _schema(kind: Any) -> dict[str, Any]:
    """The schema of an annotation."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if kind in _PLAIN:
        return {"type": _PLAIN[kind]}
    if hasattr(kind, "__metadata__"):
        texts = [one for one in kind.__metadata__ if isinstance(one, str)]
        return {**_schema(kind.__origin__), **({"description": texts[0]} if texts else {})}
    if _key_word(kind) is not None:
        return _schema(inner[0])
    if origin is typing.Literal:
        return {"enum": list(inner)}
    if origin in _UNIONS:
        return {"anyOf": [_schema(one) for one in inner]}
    if kind in (list, tuple, set) or origin in (list, tuple, set):
        items = [one for one in inner if one is not Ellipsis]
        return {"type": "array", **({"items": _schema(items[0])} if items else {})}
    if kind is dict or origin is dict:
        return {"type": "object", **({"additionalProperties": _schema(inner[1])} if inner else {})}
    if hasattr(kind, "__required_keys__"):
        return _fields(kind)
    if kind in (Any, inspect.Parameter.empty):
        return {}
    raise TypeError(f"{kind!r} has no JSON Schema; give the tool another annotation")


def _key_word(kind: Any) -> str | None:
    """What an annotation of a typed dictionary says of its key: `Required`, `NotRequired` or `ReadOnly`."""
    word: str | None = getattr(typing.get_origin(kind), "_name", None)
    return word if word in ("Required", "NotRequired", "ReadOnly") else None


def _is_required(kind: Any, seen: bool) -> bool:
    """Whether a typed dictionary must have the key that is annotated so."""
    if hasattr(kind, "__metadata__"):
        return _is_required(kind.__origin__, seen)
    word = _key_word(kind)
    if word == "ReadOnly":
        return _is_required(typing.get_args(kind)[0], seen)
    return seen if word is None else word == "Required"


def _fields(kind: Any) -> dict[str, Any]:
    """The schema of a typed dictionary."""
    hints = typing.get_type_hints(kind, include_extras=True)
    # What Python has seen itself: no words in annotations that are texts.
    seen = getattr(kind, "__required_keys__", hints)
    required = sorted(name for name, one in hints.items() if _is_required(one, name in seen))
    properties = {name: _schema(one) for name, one in hints.items()}
    return {"type": "object", "properties": properties, "required": required}


def schema_of(function: Callable[..., Any]) -> dict[str, Any]:
    """The JSON Schema of a function's arguments."""
    hints = typing.get_type_hints(function, include_extras=True)
    properties: dict[str, Any] = {}
    required: list[str] = []
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind in (
            parameter.VAR_POSITIONAL,
            parameter.VAR_KEYWORD,
            parameter.POSITIONAL_ONLY,
        ):
            raise TypeError(f"{function.__name__}: {parameter} cannot be an argument of a tool")
        schema = _schema(hints.get(name, Any))
        if parameter.default is parameter.empty:
            required.append(name)
        else:
            schema = {**schema, "default": parameter.default}
        properties[name] = schema
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def told(result: Any) -> Answer:
    """The answer that a tool's result is."""
    if isinstance(result, Answer):
        return result
    return tool_result(result if isinstance(result, str) else json.dumps(result, default=str))


class Desk:
    """Who answers the questions of a session."""

    def __init__(self, handler: Handler | None, tools: Iterable[Tool]) -> None:
        self.handler = handler
        self.tools = {one.name: one for one in tools}

    def is_staffed(self) -> bool:
        """Whether there is anybody."""
        return self.handler is not None or bool(self.tools)

    def options(self) -> dict[str, Any]:
        """What core is told of it."""
        if not self.is_staffed():
            return {}
        return {"requests": "host", "tools": [one.option() for one in self.tools.values()]}

    def work(self, request: RequestOpened) -> Callable[[], Any]:
        """What is to be done for a question: a call, whose result may have to be awaited."""
        if request.kind == "host_tool":
            found = self.tools.get(request.title)
            if found is not None:
                arguments = request.input if isinstance(request.input, dict) else {}
                return lambda: found.function(**arguments)
        handler = self.handler
        if handler is None:
            return lambda: deny("No one is there to approve this. Go on without it.")
        return lambda: handler(request)

    def is_blocking(self, request: RequestOpened) -> bool:
        """Whether it is a plain function of a tool, which may take its time."""
        found = self.tools.get(request.title)
        return request.kind == "host_tool" and found is not None and not found.is_async

    def answer(self, request: RequestOpened, said: Any) -> Answer:
        """The answer that somebody's words are."""
        if request.kind == "host_tool" and request.title in self.tools:
            return told(said)
        if isinstance(said, Answer):
            return said
        if isinstance(said, bool):
            return allow() if said else deny()
        raise TypeError(f"a handler answers with remuda.allow() and the like, not with {said!r}")

    def apology(self, request: RequestOpened, error: BaseException) -> Answer:
        """What the agent is told when that failed."""
        if request.kind == "host_tool" and request.title in self.tools:
            return tool_result(f"{type(error).__name__}: {error}", is_error=True)
        # A cancellation is no fault, and what ends the program is raised.
        if isinstance(error, Exception):
            show(error, self.handler)
        return deny("The host could not answer.")

    def apologise(self, session: Session, request: RequestOpened, error: BaseException) -> None:
        """Tells the agent so. Does not wait: the task, or its loop, may be at its end."""
        # Somebody may have been faster, or the turn is over.
        with contextlib.suppress(RemudaError):
            # The first look sends it.
            session.answer(request.request, self.apology(request, error).json).poll(Inbox())
