"""The life of sessions and turns under an event loop: the same as on every other surface."""

from __future__ import annotations

import gc
import math
from collections.abc import AsyncIterator, Awaitable
from typing import Any, Callable

import anyio
import pytest
import remuda
from conftest import Agents
from remuda import _hub

pytestmark = pytest.mark.anyio
PROVIDERS = ["claude", "codex"]


def counted(wait: Callable[[Any, int], Awaitable[None]], waits: list[int]) -> Callable[[Any, int], Awaitable[None]]:
    """The same, and counts."""

    def counting(hub: Any, source: int) -> Awaitable[None]:
        waits.append(source)
        return wait(hub, source)

    return counting


def kinds(events: list[remuda.Event]) -> list[str]:
    return [event.type for event in events]


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_turn_gives_its_events_in_order_and_one_end(agents: Agents, provider: str) -> None:
    async with remuda.Pool() as pool, await pool.open(provider, **agents.options()) as session:
        turn = session.send("hello", tag=7)
        events = [event async for event in turn]
        assert [event.turn for event in events if event.turn] == [turn.id] * len(
            [event for event in events if event.turn]
        )
        assert isinstance(events[0], remuda.TurnStarted)
        assert (events[0].origin, events[0].tag) == ("host", 7)
        assert [event.is_turn_end for event in events] == [False] * (len(events) - 1) + [True]
        text = "".join(event.text for event in events if isinstance(event, remuda.TextDelta))
        assert text == "You said: hello"
        assert (await turn).text == text
        assert [event async for event in turn] == []
    told = [event async for event in session.events()]
    assert [event.seq for event in told] == list(range(1, len(told) + 1))
    assert kinds(told)[0] == "session_opened"
    assert kinds(told)[-1] == "session_closed"


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_the_second_turn_uses_the_same_process(agents: Agents, provider: str) -> None:
    async with remuda.Pool() as pool:
        session = await pool.open(provider, **agents.options())
        await session.ask("the word is heron")
        assert (await session.ask("[[recall]]")).text == "the word is heron"
        assert pool.stats().processes_started == 1


async def test_a_second_turn_is_refused_or_waits(agents: Agents) -> None:
    async with remuda.Pool() as pool:
        session = await pool.open("claude", **agents.options())
        first = session.send("[[words 1]] [[hang]]")
        async for event in first:
            if isinstance(event, remuda.TextDelta):
                break
        with pytest.raises(remuda.RemudaError) as refused:
            session.send("too early")
        assert (refused.value.code, refused.value.number) == ("turn_in_progress", 101)
        second = session.send("second", on_busy="queue")
        third = session.send("third", on_busy="queue", tag=3)
        assert (second.position, third.position) == (0, 1)
        waiting = session.snapshot()["queued"]
        assert [(one["turn"], one["text"]) for one in waiting] == [
            (second.id, "second"),
            (third.id, "third"),
        ]
        session.edit(third.id, "edited")
        session.cancel(second.id)
        with pytest.raises(remuda.TurnInterruptedError):
            await second
        assert await first.interrupt() == "delivered"
        assert (await third).text == "You said: edited"
        with pytest.raises(remuda.RemudaError, match="stale"):
            session.cancel(third.id)


async def test_a_message_joins_the_running_turn_or_runs(agents: Agents) -> None:
    async with remuda.Pool() as pool:
        session = await pool.open("codex", **agents.options())
        alone = await session.steer("alone")
        assert alone.into is None
        assert alone.turn is not None
        assert (await alone.turn).text == "You said: alone"
        first = session.send("[[words 1]] [[hang]]")
        async for event in first:
            if isinstance(event, remuda.TextDelta):
                break
        joined = await session.steer("go on", tag=9)
        assert (joined.into, joined.turn) == (first.id, None)
        await first
        steered = [event async for event in first if isinstance(event, remuda.Steered)]
        assert [(one.text, one.tag) for one in steered] == [("go on", 9)]


async def test_an_interrupt_ends_the_turn_and_the_session_goes_on(agents: Agents) -> None:
    async with remuda.Pool() as pool:
        session = await pool.open("claude", **agents.options())
        turn = session.send("[[words 3]] [[hang]]")
        async for event in turn:
            if isinstance(event, remuda.TextDelta):
                break
        assert await turn.interrupt() == "delivered"
        with pytest.raises(remuda.TurnInterruptedError) as interrupted:
            await turn
        assert interrupted.value.result.text.startswith("word1")
        assert isinstance([event async for event in turn][-1], remuda.TurnInterrupted)
        assert await turn.interrupt() == "too_late"
        assert (await session.ask("again")).text == "You said: again"


async def test_a_cancelled_iteration_loses_no_event_and_no_end(agents: Agents) -> None:
    async with remuda.Pool() as pool:
        session = await pool.open("claude", **agents.options())
        turn = session.send("[[words 40]] [[sleep-ms 200]] [[words 40]]")
        read: list[remuda.Event] = []
        while not read or not read[-1].is_turn_end:
            with anyio.move_on_after(0.02):
                async for event in turn:
                    read.append(event)
                    await anyio.sleep(0)
        await session.close()
        told = [event async for event in session.events() if event.turn == turn.id]
        assert read == told
        assert len(read) > 3


@pytest.mark.parametrize("reads", ["events", "batches", "session"])
async def test_a_cancelled_wait_for_the_next_event_ends_nothing(agents: Agents, reads: str) -> None:
    async with remuda.Pool() as pool:
        session = await pool.open("claude", **agents.options())
        turn = session.send("[[words 1]] [[hang]]")
        reading: AsyncIterator[Any]
        reading = {"events": turn.__aiter__, "batches": turn.batches, "session": session.events}[reads]()
        with anyio.move_on_after(0.2) as scope:
            while True:
                await reading.__anext__()
        assert scope.cancelled_caught
        await turn.interrupt()
        last: Any = None
        while not isinstance(last, remuda.TurnInterrupted):
            last = await reading.__anext__()
            last = last[-1] if isinstance(last, list) else last


async def test_tasks_that_read_one_turn_share_its_events(agents: Agents, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[int] = []
    for kind in (_hub.AsyncioHub, _hub.TrioHub):
        monkeypatch.setattr(kind, "wait", counted(kind.wait, waits))
    read: list[remuda.Event] = []

    async def reads() -> None:
        async for event in turn:
            read.append(event)

    async with remuda.Pool() as pool:
        session = await pool.open("claude", **agents.options())
        turn = session.send("[[words 3]] [[sleep-ms 200]] [[words 3]]")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(reads)
            tasks.start_soon(reads)
        await session.close()
        told = [event.seq async for event in session.events() if event.turn == turn.id]
        assert sorted(event.seq for event in read) == told
    # So they wait, and do not wake each other in turns.
    assert len(waits) < 100


async def test_cancelling_an_ask_leaves_the_turn_to_its_end(agents: Agents) -> None:
    async with remuda.Pool() as pool:
        session = await pool.open("claude", **agents.options())
        with anyio.move_on_after(0.05):
            await session.ask("[[sleep-ms 300]] [[say done]]")
        ends = [remuda.TurnCompleted, remuda.TurnFailed, remuda.TurnInterrupted]
        async for event in session.events():
            if type(event) in ends:
                break
        assert isinstance(event, remuda.TurnCompleted)
        assert event.result.text == "done"


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_an_agent_that_dies_costs_one_turn_and_the_warm_process(agents: Agents, provider: str) -> None:
    agents.script({"on": "turn 2", "do": ["words 2", "kill-self"], "process": 1})
    async with remuda.Pool() as pool:
        session = await pool.open(provider, **agents.options())
        await session.ask("one")
        with pytest.raises(remuda.TurnFailedError) as failed:
            await session.ask("two")
        assert failed.value.code == "process_exit"
        assert failed.value.failure.exit is not None
        assert failed.value.failure.exit.signal == 9
        assert session.snapshot()["mode"] == "one_shot"
        assert (await session.ask("[[recall]]")).text.startswith("one\ntwo")


async def test_eviction_takes_the_process_and_leaves_the_conversation(agents: Agents) -> None:
    async with remuda.Pool(max_warm=1) as pool:
        old = await pool.open("claude", **agents.options())
        new = await pool.open("claude", **agents.options())
        await old.ask("the word is heron")
        while pool.stats().idle != 1:
            await anyio.sleep(0.001)
        await new.ask("first")
        assert pool.stats().evicted == 1
        assert (await old.ask("[[recall]]")).text == "the word is heron"


async def test_a_held_session_keeps_its_process(agents: Agents) -> None:
    async with remuda.Pool(max_warm=1, when_full="fail") as pool:
        held = await pool.open("claude", **agents.options())
        other = await pool.open("claude", **agents.options())
        await held.ask("one")
        while pool.stats().idle != 1:
            await anyio.sleep(0.001)
        with held.hold():
            while pool.stats().idle:
                await anyio.sleep(0.001)
            with pytest.raises(remuda.TurnFailedError, match="pool_full"):
                await other.ask("two")
        while pool.stats().idle != 1:
            await anyio.sleep(0.001)
        await other.ask("two")
        assert pool.stats().evicted == 1


async def test_events_can_be_read_again_from_any_seq(agents: Agents) -> None:
    async with remuda.Pool() as pool:
        session = await pool.open("claude", **agents.options())
        await session.ask("one")
        await session.close()
        whole = [event async for event in session.events()]
        tail = [event async for event in session.events(from_seq=4)]
        assert tail == whole[3:]
        assert session.snapshot()["closed"] is True
        assert session.snapshot()["next_seq"] == len(whole) + 1


async def test_batches_give_the_same_events(agents: Agents) -> None:
    async with remuda.Pool() as pool:
        session = await pool.open("claude", **agents.options())
        turn = session.send("[[words 2000]]")
        text = ""
        async for batch in turn.batches():
            assert batch
            text += "".join(one.text for one in batch if isinstance(one, remuda.TextDelta))
        assert text == (await turn).text
        assert text.split()[-1] == "word2000"


async def test_settings_and_operations(agents: Agents) -> None:
    async with remuda.Pool() as pool:
        session = await pool.open("claude", **agents.options())
        await session.ask("one")
        assert await session.change(model="another") in ("live", "recycled")
        assert session.snapshot()["settings"]["model"] == "another"
        with pytest.raises(remuda.RemudaError) as refused:
            await session.change(modell="x")
        assert refused.value.code == "invalid_argument"
        assert "modell" in refused.value.message
        with pytest.raises(remuda.RemudaError, match="dance"):
            await session.operate("dance")
        with pytest.raises(remuda.RemudaError, match="agent_error"):
            await session.operate("context_usage")


async def test_options_are_refused_by_name_and_durations_are_seconds(agents: Agents) -> None:
    with pytest.raises(remuda.RemudaError, match="max_wram"):
        remuda.Pool(max_wram=1)
    with pytest.raises(remuda.RemudaError, match="idle_timeout"):
        remuda.Pool(idle_timeout="soon")
    pool = remuda.Pool(idle_timeout=1.5, when_full={"wait": {"timeout": 0.25}}, timeouts={"start": 2})
    async with pool:
        options = pool.options
        assert options["idle_timeout_ms"] == 1500
        assert options["when_full"] == {"wait": {"timeout_ms": 250}}
        assert options["timeouts"]["start_ms"] == 2000
        with pytest.raises(remuda.RemudaError, match="program_not_found"):
            await pool.open("claude", program="no-such-program")
        with pytest.raises(remuda.RemudaError, match="cwd_unusable"):
            await pool.open("claude", cwd="/no/such/folder")
    with pytest.raises(remuda.RemudaError, match="closed"):
        await pool.open("claude", **agents.options())


async def test_an_infinite_duration_never_ends(agents: Agents) -> None:
    async with remuda.Pool(idle_timeout=math.inf) as pool:
        session = await pool.open("claude", **agents.options(), timeouts={"silence": math.inf})
        assert (await session.ask("one")).text == "You said: one"


async def test_a_budget_ends_a_turn(agents: Agents) -> None:
    async with remuda.Pool() as pool:
        session = await pool.open("claude", **agents.options())
        with pytest.raises(remuda.TurnFailedError) as failed:
            await session.ask("[[hang]]", budget={"max_duration": 0.2})
        assert failed.value.code == "budget_exceeded"


async def test_a_session_that_nobody_has_any_more_is_closed(agents: Agents) -> None:
    async with remuda.Pool() as pool:
        session = await pool.open("claude", **agents.options(), on_request=lambda _: True)
        await session.ask("one")
        del session
        while pool.stats().sessions:
            await anyio.sleep(0.001)


async def test_a_handler_that_refers_to_its_session_does_not_keep_it_open(agents: Agents) -> None:
    async def use() -> None:
        known: list[remuda.Session] = []
        known.append(await pool.open("claude", **agents.options(), on_request=lambda _: bool(known)))
        await known[0].ask("one")

    async with remuda.Pool() as pool:
        await use()
        while pool.stats().sessions:
            gc.collect()
            await anyio.sleep(0.001)


async def test_a_shutdown_says_what_it_came_to(agents: Agents) -> None:
    pool = remuda.Pool()
    session = await pool.open("claude", **agents.options())
    turn = session.send("[[hang]]")
    report = await pool.shutdown(5.0)
    assert report == remuda.Shutdown(closed=[session.id], unfinished=[], left=[], lost=False)
    with pytest.raises(remuda.TurnFailedError, match="closed"):
        await turn
