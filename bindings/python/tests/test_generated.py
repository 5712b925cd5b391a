"""What is made from core's schemas is current, and what is written by hand has the same members."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import remuda
from conftest import Agents
from remuda import _remuda, _results

HERE = Path(__file__).resolve().parent.parent


def test_events_and_options_are_those_of_core() -> None:
    spec = importlib.util.spec_from_file_location("generate", HERE / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    for path, text in generate.generated().items():
        assert path.read_text(encoding="utf-8") == text, f"stale; run {HERE / 'generate.py'}"


def test_stats_and_snapshots_have_the_members_of_core(agents: Agents) -> None:
    pool = _remuda.Pool("{}")
    assert json.loads(pool.stats()).keys() == _results.PoolStats.__annotations__.keys()
    options = {"provider": "claude", "cwd": str(agents.folder), "program": str(agents.program)}
    session = pool.open(json.dumps(options))
    snapshot = json.loads(session.snapshot())
    assert snapshot.keys() == remuda.SessionSnapshot.__annotations__.keys()
    assert snapshot["settings"].keys() == _results.CurrentSettings.__annotations__.keys()


def test_every_kind_has_its_class() -> None:
    names = {"".join(part.capitalize() for part in name.split("_")) for _, name in _remuda.event_kinds()}
    for name in names:
        assert issubclass(getattr(remuda, name), remuda.Event)


def test_everything_public_says_what_it_is() -> None:
    for name in remuda.__all__:
        thing = getattr(remuda, name)
        if isinstance(thing, type) or hasattr(thing, "__code__"):
            assert thing.__doc__, name
