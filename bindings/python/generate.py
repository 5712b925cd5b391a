"""Writes `python/remuda/_events.py` and `python/remuda/_options.py` from the JSON Schemas of core.

`python generate.py` rewrites them; a test fails when they are stale. Event kinds, error kinds and options have their
home in core: nothing of them is written by hand in Python.
"""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
SCHEMA = ROOT / "include" / "remuda-options.schema.json"
PACKAGE = HERE / "python" / "remuda"
HEAD = '''"""{title}

Made from the schemas of core by `generate.py`; not to be edited.
"""
# ruff: noqa: E501

from __future__ import annotations

{imports}
'''
NATIVE = {"text_delta": "TextDelta", "reasoning_delta": "ReasoningDelta"}
EVENT_STRUCTS = [
    "TokenUsage",
    "Cost",
    "TurnResult",
    "Exit",
    "Failure",
    "PlanEntry",
    "ChangedFile",
    "Choice",
    "Question",
]
RENAMED = {"Usage": "TokenUsage", "FileChange": "ChangedFile"}
"""Parts of events that are called as a kind is."""
OPTION_STRUCTS = ["Client", "Timeouts", "Environment", "Place", "Rule", "HostTool", "Budget", "Change"]
OPTION_WORDS = ["ClientFiles", "Sharing", "PermissionMode", "Persistent", "Requests", "Action", "Scope"]
OPTION_UNIONS = ["WhenFull", "Downgrade", "McpServer"]
TABLES = ["PoolOptions", "SessionOptions"]
Schema = dict[str, Any]


def camel(name: str) -> str:
    """`tool_use` as `ToolUse`."""
    return "".join(part.capitalize() for part in name.split("_"))


def told(schema: Schema, indent: str) -> str:
    """A description as a docstring, without the links of Rust's documentation."""
    text = schema.get("description", "").strip() or "No more is known of it."
    text = re.sub(r"\[(`[^`\]]+`|[^\]]+)\](\([^)]*\))?", r"\1", text)
    text = text.replace("\\", "").replace("crate::", "").replace("::", ".")
    text = re.sub(r"<[^>]*>", "", text)
    lines = [line.rstrip() for line in text.split("\n")]
    body = f"\n{indent}".join(lines)
    end = f"\n{indent}" if len(lines) > 1 else ""
    return f'{indent}"""{body}{end}"""'.replace(f"\n{indent}\n", "\n\n")


class Types:
    """What the schemas call things, in Python's words."""

    def __init__(self, defs: dict[str, Schema]) -> None:
        self.defs = defs

    def words(self, name: str) -> list[str] | None:
        """The words of an enum that is nothing but words."""
        schema = self.defs[name]
        if not isinstance(schema, dict):
            return None
        if "enum" in schema and schema.get("type") == "string":
            return list(schema["enum"])
        found: list[str] = []
        for one in schema.get("oneOf", []):
            if "const" in one:
                found.append(one["const"])
            elif "enum" in one and one.get("type") == "string":
                found.extend(one["enum"])
            else:
                return None
        return found or None

    def of(self, schema: Schema) -> str:
        """The type of a value."""
        if "$ref" in schema:
            return self.named(schema["$ref"].rsplit("/", 1)[1])
        for union in ("anyOf", "oneOf"):
            if union in schema:
                parts = [self.of(one) for one in schema[union]]
                return " | ".join(dict.fromkeys(parts))
        kind = schema.get("type")
        if isinstance(kind, list):
            return " | ".join(self.of({**schema, "type": one}) for one in kind)
        if kind == "array":
            return f"list[{self.of(schema['items'])}]"
        if kind == "object":
            more = schema.get("additionalProperties")
            return f"dict[str, {self.of(more)}]" if isinstance(more, dict) else "dict[str, Any]"
        plain = {
            "string": "str",
            "integer": "int",
            "number": "float",
            "boolean": "bool",
            "null": "None",
        }
        return plain.get(str(kind), "Any")

    def named(self, name: str) -> str:
        """The type of a definition."""
        if name == "RawJson":
            return "Any"
        if name in ("SessionId", "TurnId", "ProcessId", "RequestId"):
            return "int"
        return RENAMED.get(name, name)

    def field(self, name: str, schema: Schema) -> tuple[str, str, bool]:
        """Its name and type in Python, and whether it is milliseconds there."""
        kind = self.of(schema)
        if name.endswith("_ms"):
            return name[:-3], kind.replace("int", "float"), True
        return name, kind, False


def aliases(types: Types, names: list[str]) -> list[str]:
    """Enums of words, as literals."""
    out: list[str] = []
    for name in names:
        words = types.words(name) or []
        out.append(f"{name} = Literal[{', '.join(json.dumps(word) for word in words)}]")
        out.append(told(types.defs[name], ""))
        out.append("")
    return out


def decoded(expression: str, kind: str, millis: bool) -> str:
    """How a field is made of its JSON."""
    if millis:
        return f"_seconds({expression})" if "None" in kind else f"{expression} / 1000"
    bare = kind.replace(" | None", "")
    if bare in EVENT_STRUCTS:
        return f"_maybe({bare}._of, {expression})" if "None" in kind else f"{bare}._of({expression})"
    inner = re.fullmatch(r"list\[(\w+)\]", bare)
    if inner and inner[1] in EVENT_STRUCTS:
        return f"[{inner[1]}._of(one) for one in {expression}]"
    return expression


def member(name: str, kind: str) -> str:
    """The JSON of a field. What is left out is `None`, or empty."""
    if kind.startswith("list["):
        return f'data.get("{name}", [])'
    return f'data.get("{name}")' if "None" in kind or kind == "Any" else f'data["{name}"]'


def struct(types: Types, name: str) -> list[str]:
    """A part of an event."""
    schema = types.defs[{new: old for old, new in RENAMED.items()}.get(name, name)]
    out = ["", "@dataclass(frozen=True)", f"class {name}:", told(schema, "    "), ""]
    made: list[str] = []
    for key, one in schema["properties"].items():
        field, kind, millis = types.field(key, one)
        out += [f"    {field}: {kind}", told(one, "    ")]
        made.append(f"            {field}={decoded(member(key, kind), kind, millis)},")
    out += [
        "",
        "    @classmethod",
        f"    def _of(cls, data: dict[str, Any]) -> {name}:",
        "        return cls(",
    ]
    return [*out, *made, "        )", ""]


def event(types: Types, schema: Schema) -> list[str]:
    """The class of a kind."""
    name = camel(schema["properties"]["type"]["const"])
    fields = [(k, *types.field(k, one), one) for k, one in schema["properties"].items() if k != "type"]
    order = schema.get("required", [])
    fields.sort(key=lambda f: order.index(f[0]) if f[0] in order else len(order))
    names = "".join(f'"{field}", ' for _, field, _, _, _ in fields).rstrip(" ")
    if len(fields) > 1:
        names = names.rstrip(",")
    out = ["", "@final", f"class {name}(_Event):", told(schema, "    "), ""]
    out += ["    __slots__ = ()", f"    __match_args__ = ({names})"]
    for key, field, kind, millis, one in fields:
        made = decoded(member(key, kind).replace("data", "self.data", 1), kind, millis)
        out += ["", "    @property", f"    def {field}(self) -> {kind}:", told(one, "        ")]
        out += [f"        value: {kind} = {made}", "        return value"]
    return [*out, ""]


def events(schema: Schema, kinds: list[tuple[int, str]], errors: list[tuple[int, str]]) -> str:
    """`_events.py`."""
    types = Types(schema["$defs"])
    bodies = {one["properties"]["type"]["const"]: one for one in schema["$defs"]["Event"]["oneOf"]}
    assert set(bodies) == {name for _, name in kinds}, "the schema has the kinds of the module"
    words = sorted(
        name for name in re.findall(r"#/\$defs/(\w+)", json.dumps(reachable(schema["$defs"]))) if types.words(name)
    )
    words = list(dict.fromkeys(words))
    assert (types.words("ErrorKind") or []) == [name for _, name in errors]
    imports = "\n".join(
        [
            "from dataclasses import dataclass",
            "from typing import Any, Callable, Literal, TypeVar, final",
            "",
            "from remuda._remuda import Event, ReasoningDelta, TextDelta, set_event_class",
            "",
            '_T = TypeVar("_T")',
        ]
    )
    out = [HEAD.format(title="Events, and what they are made of.", imports=imports)]
    names = ", ".join(json.dumps(name) for _, name in kinds)
    out += [f"EventKind = Literal[{names}]", '"""The stable names of events."""', ""]
    out += aliases(types, words)
    out.append(HELPERS)
    for name in EVENT_STRUCTS:
        out += struct(types, name)
    for _, name in kinds:
        if name not in NATIVE:
            out += event(types, bodies[name])
    out += ["", "_CLASSES: dict[int, type[Event]] = {"]
    out += [f"    {number}: {camel(name)}," for number, name in kinds if name not in NATIVE]
    out += [
        "}",
        "for _number, _class in _CLASSES.items():",
        "    set_event_class(_number, _class)",
        "",
    ]
    classes = sorted([*words, *EVENT_STRUCTS, *(camel(name) for _, name in kinds), "Event", "EventKind"])
    out += ["__all__ = [", *(f'    "{name}",' for name in classes), "]", ""]
    return "\n".join(out)


def reachable(defs: dict[str, Schema]) -> list[Schema]:
    """The event and all that it refers to."""
    found = {"Event": defs["Event"]}
    todo = [defs["Event"]]
    while todo:
        for name in re.findall(r"#/\$defs/(\w+)", json.dumps(todo.pop())):
            if name not in found:
                found[name] = defs[name]
                todo.append(defs[name])
    return list(found.values())


HELPERS = '''
def _seconds(millis: Any) -> float | None:
    return None if millis is None else millis / 1000


def _maybe(make: Callable[[Any], _T], data: Any) -> _T | None:
    return None if data is None else make(data)


class _Event(Event):
    """How every kind that Python decodes shows itself."""

    __slots__ = ()
    __match_args__: tuple[str, ...] = ()

    def __repr__(self) -> str:
        fields = "".join(f", {name}={getattr(self, name)!r}" for name in self.__match_args__)
        return f"{type(self).__name__}(seq={self.seq}{fields})"

'''


def typed_dict(types: Types, name: str, schema: Schema) -> list[str]:
    """Options as a dictionary with known keys."""
    required = set(schema.get("required", []))
    base = f"{name}Required" if required else ""
    out: list[str] = []
    for needed in (True, False):
        chosen = [(k, one) for k, one in schema["properties"].items() if (k in required) == needed]
        if needed and not chosen:
            continue
        own = base if needed else name
        parents = "TypedDict" if needed or not base else base
        out += ["", f"class {own}({parents}{'' if needed else ', total=False'}):"]
        out += [told(schema, "    ")]
        for key, one in chosen:
            field, kind, _ = types.field(key, one)
            if field in ("cwd", "program"):
                kind = kind.replace("str", "str | os.PathLike[str]")
            out += ["", f"    {field}: {kind}", told(one, "    ")]
        out.append("")
    return out


def union(types: Types, name: str) -> list[str]:
    """Options that are one word, or an object with one member."""
    out: list[str] = []
    parts: list[str] = []
    for one in types.defs[name]["oneOf"]:
        if "const" in one:
            parts.append(f'Literal["{one["const"]}"]')
            continue
        if "enum" in one:
            parts.append(f"Literal[{', '.join(json.dumps(word) for word in one['enum'])}]")
            continue
        ((key, inner),) = one["properties"].items()
        own = name + camel(key)
        out += typed_dict(types, own + "Fields", {**inner, "description": one.get("description", "")})
        out += [
            "",
            f"class {own}(TypedDict):",
            told(one, "    "),
            "",
            f"    {key}: {own}Fields",
            "",
        ]
        parts.append(own)
    return [*out, f"{name} = Union[{', '.join(parts)}]", told(types.defs[name], ""), ""]


def tables(defs: dict[str, Schema]) -> dict[str, dict[str, tuple[str, str]]]:
    """Per structure: the name in Python, the name in JSON, and `ms` or the structure of the value."""
    out: dict[str, dict[str, tuple[str, str]]] = {}

    def note(name: str, properties: dict[str, Schema]) -> None:
        rows: dict[str, tuple[str, str]] = {}
        for key, one in properties.items():
            refs = re.findall(r"#/\$defs/(\w+)", json.dumps(one))
            if key.endswith("_ms"):
                rows[key[:-3]] = (key, "ms")
            elif refs and refs[0] in out:
                rows[key] = (key, refs[0])
            elif "properties" in one:
                note(f"{name}.{key}", one["properties"])
                if f"{name}.{key}" in out:
                    rows[key] = (key, f"{name}.{key}")
        if rows:
            out[name] = rows

    for name in [*OPTION_STRUCTS, *OPTION_UNIONS, *TABLES]:
        schema = defs[name]
        properties = dict(schema.get("properties", {}))
        for one in schema.get("oneOf", []):
            properties.update(one.get("properties", {}))
        note(name, properties)
    return out


def options(schema: Schema) -> str:
    """`_options.py`."""
    types = Types(schema["$defs"])
    imports = "\n".join(
        [
            "import os",
            "from typing import Any, Literal, TypedDict, Union",
            "",
            "from remuda._events import Containment",
        ]
    )
    out = [HEAD.format(title="Options, as dictionaries with known keys.", imports=imports)]
    out += aliases(types, OPTION_WORDS)
    if types.words("Place"):
        out += aliases(types, ["Place"])
    for name in OPTION_UNIONS:
        out += union(types, name)
    for name in OPTION_STRUCTS:
        if "properties" in types.defs[name]:
            out += typed_dict(types, name, types.defs[name])
    for name in TABLES:
        schema = dict(types.defs[name])
        schema["properties"] = {
            k: v for k, v in schema["properties"].items() if k not in ("provider", "tools", "requests")
        }
        out += typed_dict(types, name, schema)
    out += ["FIELDS: dict[str, dict[str, tuple[str, str]]] = {"]
    for name, rows in tables(types.defs).items():
        out.append(f"    {json.dumps(name)}: {{")
        out += [f"        {json.dumps(k)}: ({json.dumps(j)}, {json.dumps(kind)})," for k, (j, kind) in rows.items()]
        out.append("    },")
    out += [
        "}",
        '"""What is called or measured otherwise in JSON: durations are seconds here and milliseconds there."""',
        "",
    ]
    return "\n".join(out)


def native() -> Any:
    """The native module alone: the package cannot be imported before its files are written."""
    if "remuda._remuda" in sys.modules:
        return sys.modules["remuda._remuda"]
    package = importlib.util.find_spec("remuda")
    assert package is not None
    place = next(Path((package.submodule_search_locations or [""])[0]).glob("_remuda*.so"))
    spec = importlib.util.spec_from_file_location("_remuda", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def generated() -> dict[Path, str]:
    """The files, and what belongs into them."""
    _remuda = native()
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return {
        PACKAGE / "_events.py": events(schema, _remuda.event_kinds(), _remuda.error_kinds()),
        PACKAGE / "_options.py": options(schema),
    }


if __name__ == "__main__":
    for path, text in generated().items():
        path.write_text(text, encoding="utf-8")
