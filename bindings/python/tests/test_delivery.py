"""How events come: in batches, to several loops, to many sessions, and without blocking a loop."""

from __future__ import annotations

import asyncio
import asyncio.events
import gc
import threading
import time
from typing import Any

import anyio
import pytest
import remuda
from conftest import Agents

MOST_BLOCKED = 0.020
SESSIONS = 1000


def test_a_pool_serves_several_loops_in_several_threads(agents: Agents) -> None:
    pool = remuda.Pool(max_warm=4)
    said: list[str] = []

    async def talk(number: int) -> None:
        session = await pool.open("claude", **agents.options())
        for turn in range(3):
            text = ""
            async for event in session.send(f"{number}.{turn}"):
                if isinstance(event, remuda.TextDelta):
                    text += event.text
            said.append(text)

    backends = ["asyncio", "trio", "asyncio", "trio"]
    threads = [
        threading.Thread(target=lambda at=at, name=name: anyio.run(talk, at, backend=name))
        for at, name in enumerate(backends)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    anyio.run(pool.shutdown)
    assert sorted(said) == sorted(f"You said: {n}.{t}" for n in range(4) for t in range(3))


def test_one_loop_after_another_uses_the_same_session(agents: Agents) -> None:
    pool = remuda.Pool()
    session = asyncio.run(pool.open("claude", **agents.options()))
    turn: list[remuda.Turn] = []

    async def begin() -> None:
        turn.append(session.send("[[words 3]]"))
        async for _ in turn[0]:
            break

    async def end() -> str:
        return (await turn[0]).text

    asyncio.run(begin())
    assert anyio.run(end, backend="trio").split() == ["word1", "word2", "word3"]
    asyncio.run(pool.shutdown())


@pytest.mark.anyio
async def test_a_host_that_does_not_read_gets_everything_later(agents: Agents) -> None:
    async with remuda.Pool(log_bytes=65536) as pool:
        session = await pool.open("claude", **agents.options())
        events = session.events()
        first = await events.__anext__()
        turn = session.send("[[bytes 3000000]]")
        while not session.snapshot()["held_back"]:
            await anyio.sleep(0.001)
        size, seq = 0, first.seq
        async for event in events:
            assert event.seq == seq + 1
            seq = event.seq
            if isinstance(event, remuda.TextDelta):
                size += len(event.text)
            if event.is_turn_end:
                break
        assert size == 3_000_000
        assert len((await turn).text) == 3_000_000


@pytest.mark.anyio
async def test_an_event_says_what_it_is(agents: Agents) -> None:
    async with remuda.Pool() as pool:
        session = await pool.open("claude", **agents.options())
        seen: dict[str, remuda.Event] = {}
        async for event in session.send('one [[tool Bash "ls -l" 0]] [[say "two"]]'):
            seen[event.type] = event
        use = seen["tool_use"]
        assert isinstance(use, remuda.ToolUse)
        assert (use.name, use.kind, use.title, use.input) == (
            "Bash",
            "shell",
            "ls -l",
            {"command": "ls -l", "description": "ls -l"},
        )
        assert use.data["title"] == "ls -l"
        assert use.session == session.id
        assert use.time_unix_ns > 0
        assert repr(use).startswith(f"ToolUse(seq={use.seq}, id=")
        delta = seen["text_delta"]
        assert isinstance(delta, remuda.TextDelta)
        assert remuda.TextDelta.__match_args__ == ("text", "parent")
        assert repr(delta) == f"TextDelta(seq={delta.seq}, text={delta.text!r})"
        assert delta == delta
        assert delta != use
        assert len({delta, use}) == 2
        with pytest.raises(AttributeError):
            delta.text = "x"


def test_a_thousand_sessions_at_the_same_time_block_the_loop_for_no_more_than_twenty_ms(
    agents: Agents, monkeypatch: pytest.MonkeyPatch
) -> None:
    longest = 0.0
    run: Any = asyncio.events.Handle._run

    # Of the thread's own time: what other processes take of the machine says nothing of a loop.
    def timed(handle: asyncio.Handle) -> None:
        nonlocal longest
        begun = time.thread_time()
        run(handle)
        longest = max(longest, time.thread_time() - begun)

    monkeypatch.setattr(asyncio.events.Handle, "_run", timed)

    async def talk(pool: remuda.Pool, number: int) -> None:
        session = await pool.open("codex", **agents.options(), sharing="shared")
        count = 0
        async for event in session.send(f"{number} [[words 20]]"):
            count += event.is_turn_end
        assert isinstance(event, remuda.TurnCompleted)
        assert count == 1

    async def main() -> None:
        async with remuda.Pool(max_warm=10, max_sessions_per_process=100) as pool:
            await asyncio.gather(*(talk(pool, number) for number in range(SESSIONS)))
            assert pool.stats().turns_completed == SESSIONS

    gc.collect()
    gc.freeze()
    asyncio.run(main())
    gc.unfreeze()
    assert longest < MOST_BLOCKED, f"blocked for {longest * 1000:.1f} ms"
