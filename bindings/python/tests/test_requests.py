"""Questions of agents, and tools of the host."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Annotated, Any, Literal, TypedDict

import anyio
import pytest
import remuda
from conftest import Agents, python
from remuda import sync
from typing_extensions import NotRequired, Required

ASK = '[[ask Bash "rm -r build" 0]]'


async def resolutions(turn: remuda.Turn) -> list[tuple[str, str]]:
    """How the questions of a turn were settled, and by whom."""
    return [(one.resolution, one.by) async for one in turn if isinstance(one, remuda.RequestResolved)]


@pytest.mark.anyio
@pytest.mark.parametrize("provider", ["claude", "codex"])
@pytest.mark.parametrize("say", [True, False])
async def test_a_handler_decides(agents: Agents, provider: str, say: bool) -> None:
    seen: list[remuda.RequestOpened] = []

    async def decide(request: remuda.RequestOpened) -> bool:
        seen.append(request)
        await anyio.sleep(0)
        return say

    async with remuda.Pool() as pool:
        session = await pool.open(provider, **agents.options(), on_request=decide)
        turn = session.send(ASK)
        told = [event async for event in turn]
        resolved = [one for one in told if isinstance(one, remuda.RequestResolved)]
        assert [(one.resolution, one.by) for one in resolved] == [("allowed" if say else "denied", "host")]
        assert [one.kind for one in seen] == ["command_approval"]
        assert "rm -r build" in seen[0].title
        assert seen[0].raw


@pytest.mark.anyio
async def test_without_a_handler_everything_is_denied_at_once(agents: Agents) -> None:
    async with remuda.Pool() as pool:
        session = await pool.open("claude", **agents.options())
        told = [event async for event in session.send(ASK)]
        resolved = [one for one in told if isinstance(one, remuda.RequestResolved)]
        assert [(one.resolution, one.by) for one in resolved] == [("denied", "no_handler")]


@pytest.mark.anyio
async def test_a_handler_that_fails_denies_and_is_shown(agents: Agents, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", shown.append)

    def decide(_: remuda.RequestOpened) -> bool:
        raise ValueError("no idea")

    async with remuda.Pool() as pool:
        session = await pool.open("claude", **agents.options(), on_request=decide)
        told = [event async for event in session.send(ASK)]
        resolved = [one for one in told if isinstance(one, remuda.RequestResolved)]
        assert [(one.resolution, one.by) for one in resolved] == [("denied", "host")]
        assert [str(one.exc_value) for one in shown] == ["no idea"]


FAILS = """
import asyncio, sys
import remuda
from remuda import sync
how, folder, program, ask = sys.argv[1:]

def decide(_):
    raise ValueError("no idea")

options = {"cwd": folder, "program": program, "on_request": decide}

def show(events):
    print([(one.resolution, one.by) for one in events if isinstance(one, remuda.RequestResolved)])

async def main():
    async with remuda.Pool() as pool:
        session = await pool.open("claude", **options)
        show([event async for event in session.send(ask)])

if how == "asyncio":
    asyncio.run(main())
elif how == "trio":
    import trio
    trio.run(main)
else:
    with sync.Pool() as pool:
        show(pool.open("claude", **options).send(ask))
"""


@pytest.mark.parametrize("how", ["asyncio", "trio", "sync"])
def test_a_handler_that_fails_denies_and_is_shown_on_stderr(agents: Agents, how: str) -> None:
    done = python(FAILS, how, agents.folder, agents.program, ASK)
    assert (done.returncode, done.stdout) == (0, "[('denied', 'host')]\n"), done.stderr
    assert "ValueError: no idea" in done.stderr
    assert "decide" in done.stderr


UNFIT = {
    "no JSON": remuda.allow(input={"x": object()}),
    "no answer": "yes",
    "no such scope": remuda.Answer({"answer": "allow", "scope": "forever"}),
    "another question's": remuda.content({"x": 1}),
}


@pytest.mark.anyio
@pytest.mark.parametrize("unfit", UNFIT.values(), ids=UNFIT.keys())
async def test_an_answer_that_cannot_be_given_denies(
    agents: Agents, unfit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", shown.append)
    async with remuda.Pool() as pool:
        session = await pool.open("claude", **agents.options(), on_request=lambda _: unfit)
        assert await resolutions(session.send(ASK)) == [("denied", "host")]
    assert len(shown) == 1


@pytest.mark.parametrize("unfit", UNFIT.values(), ids=UNFIT.keys())
def test_without_a_loop_it_denies_too(agents: Agents, unfit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", shown.append)
    with sync.Pool() as pool, pool.open("claude", **agents.options(), on_request=lambda _: unfit) as session:
        resolved = [one for one in session.send(ASK) if isinstance(one, remuda.RequestResolved)]
        assert [(one.resolution, one.by) for one in resolved] == [("denied", "host")]
    assert len(shown) == 1


def test_a_handler_that_waits_for_a_cancelled_task_denies(agents: Agents) -> None:
    async def decide(_: remuda.RequestOpened) -> bool:
        task = asyncio.create_task(asyncio.sleep(60))
        task.cancel()
        await task
        return True

    async def main() -> None:
        async with remuda.Pool() as pool:
            session = await pool.open("claude", **agents.options(), on_request=decide)
            assert await resolutions(session.send(ASK)) == [("denied", "host")]

    asyncio.run(main())


@pytest.mark.anyio
async def test_a_handler_that_fails_after_it_has_answered_disturbs_nobody(
    agents: Agents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)
    done = anyio.Event()

    async def decide(request: remuda.RequestOpened) -> Any:
        await session.answer(request.request, remuda.allow())
        done.set()
        return UNFIT["no such scope"]

    async with remuda.Pool() as pool:
        session = await pool.open("claude", **agents.options(), on_request=decide)
        assert await resolutions(session.send(ASK)) == [("allowed", "host")]
        await done.wait()
        assert (await session.ask("again")).text == "You said: again"


def test_questions_are_answered_in_whatever_loop_uses_the_session(agents: Agents) -> None:
    options = {**agents.options(), "timeouts": {"request": 5.0}}
    pool = remuda.Pool()
    session = asyncio.run(pool.open("claude", **options, on_request=lambda _: True))

    async def ask() -> list[tuple[str, str]]:
        return await resolutions(session.send(ASK))

    allowed = [("allowed", "host")]
    assert asyncio.run(ask()) == allowed
    assert anyio.run(ask, backend="trio") == allowed
    stopped = asyncio.new_event_loop()
    assert stopped.run_until_complete(ask()) == allowed
    # That one has tasks, and does not run.
    assert asyncio.run(ask()) == allowed
    # Sent where no loop runs.
    turn = session.send(ASK)

    async def wait() -> remuda.TurnResult:
        return await turn

    asyncio.run(wait())
    assert asyncio.run(resolutions(turn)) == allowed
    asyncio.run(pool.shutdown())
    stopped.run_until_complete(asyncio.sleep(0))
    stopped.close()


@pytest.mark.anyio
async def test_a_question_can_be_answered_by_its_id_once(agents: Agents) -> None:
    options = {**agents.options(), "requests": "host"}
    async with remuda.Pool() as pool:
        session = await pool.open("claude", **options)
        turn = session.send(ASK)
        async for event in turn:
            if isinstance(event, remuda.RequestOpened):
                break
        assert [one["request"] for one in session.snapshot()["requests"]] == [event.request]
        await session.answer(event.request, remuda.deny("not now"))
        with pytest.raises(remuda.RemudaError, match="already_answered"):
            await session.answer(event.request, remuda.allow())
        await turn
        assert session.snapshot()["requests"] == []


@pytest.mark.anyio
async def test_an_interrupt_in_a_handler_ends_the_turn_and_the_handler(agents: Agents) -> None:
    async with remuda.Pool() as pool:
        asked, ended = anyio.Event(), anyio.Event()

        async def decide(_: remuda.RequestOpened) -> bool:
            asked.set()
            try:
                await anyio.sleep_forever()
            finally:
                ended.set()
            return True

        session = await pool.open("claude", **agents.options(), on_request=decide)
        turn = session.send(ASK)
        await asked.wait()
        assert await turn.interrupt() == "delivered"
        with pytest.raises(remuda.TurnInterruptedError):
            await turn
        await ended.wait()


def test_a_synchronous_handler_runs_while_the_thread_waits(agents: Agents) -> None:
    seen: list[str] = []

    def decide(request: remuda.RequestOpened) -> remuda.Answer:
        seen.append(request.title)
        return remuda.allow()

    with sync.Pool() as pool, pool.open("claude", **agents.options(), on_request=decide) as session:
        session.ask(ASK)
        told = [event.type for event in session.send(ASK)]
        assert len(seen) == 2
        assert told.count("request_resolved") == 1


class Place(TypedDict):
    """Where."""

    city: str
    zip: int


def test_the_schema_of_a_tool_is_that_of_its_annotations() -> None:
    @remuda.tool
    def weather(
        place: Annotated[Place, "where"],
        days: int = 1,
        unit: Literal["c", "f"] = "c",
        notes: list[str] | None = None,
    ) -> str:
        """Tells the weather."""
        return f"{place} {days} {unit} {notes}"

    assert (weather.name, weather.description) == ("weather", "Tells the weather.")
    assert weather.input_schema == {
        "type": "object",
        "properties": {
            "place": {
                "type": "object",
                "properties": {"city": {"type": "string"}, "zip": {"type": "integer"}},
                "required": ["city", "zip"],
                "description": "where",
            },
            "days": {"type": "integer", "default": 1},
            "unit": {"enum": ["c", "f"], "default": "c"},
            "notes": {
                "anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}],
                "default": None,
            },
        },
        "required": ["place"],
        "additionalProperties": False,
    }
    assert weather({"city": "x", "zip": 1}).startswith("{")
    with pytest.raises(TypeError, match="no JSON Schema"):

        @remuda.tool
        def odd(_: complex) -> None:
            """Takes what JSON has not."""


class Parcel(TypedDict, total=False):
    """What."""

    number: Required[int]
    weight: float


class Order(TypedDict):
    """Whose."""

    name: str
    note: Annotated[NotRequired[str], "for people"]
    parcel: NotRequired[Parcel]


def test_a_typed_dictionary_says_which_keys_must_be_there() -> None:
    @remuda.tool
    def send(order: Order) -> None:
        """Sends it."""

    assert send.input_schema["properties"]["order"] == {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "note": {"type": "string", "description": "for people"},
            "parcel": {
                "type": "object",
                "properties": {"number": {"type": "integer"}, "weight": {"type": "number"}},
                "required": ["number"],
            },
        },
        "required": ["name"],
    }


@pytest.mark.anyio
@pytest.mark.real
async def test_the_real_agent_calls_tools_of_the_host(real: Any) -> None:
    @remuda.tool
    async def add(a: int, b: int) -> int:
        """Adds two numbers."""
        await anyio.sleep(0)
        return a + b

    @remuda.tool
    def fail(why: str) -> str:
        """Fails."""
        raise ValueError(why)

    claude = real("claude")
    prompt = "MODEL:" + json.dumps(
        [
            {"tool": "mcp__host__add", "input": {"a": 2, "b": 3}},
            {"tool": "mcp__host__fail", "input": {"why": "for a test"}},
            {"echo": "result"},
        ]
    )
    async with remuda.Pool() as pool:
        session = await pool.open("claude", **claude.options(), tools=[add, fail])
        turn = session.send(prompt)
        results = [event async for event in turn if isinstance(event, remuda.ToolResult)]
        assert [(one.text, one.is_error) for one in results] == [
            ("5", False),
            ("ValueError: for a test", True),
        ]
