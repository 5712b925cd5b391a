"""The synchronous face."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import remuda
from conftest import Agents, ctrl_c_when_the_main_thread_waits, eventually, python
from remuda import sync

ASK = '[[ask Bash "ls" 0]]'


def test_the_same_names_do_the_same(agents: Agents) -> None:
    with sync.Pool(max_warm=2) as pool, pool.open("claude", **agents.options()) as session:
        turn = session.send("hello", tag=1)
        events = list(turn)
        assert events[-1].is_turn_end
        assert turn.result().text == "You said: hello"
        assert [one for batch in session.send("again").batches() for one in batch][-1].is_turn_end
        hanging = session.send("[[hang]]")
        assert hanging.interrupt() in ("delivered", "held")
        with pytest.raises(remuda.TurnInterruptedError):
            hanging.result()
        assert session.change(model="another")
        assert session.close() == []
        assert [one.seq for one in session.events()] == list(range(1, session.snapshot()["next_seq"]))


def test_many_threads_share_a_pool(agents: Agents) -> None:
    with sync.Pool(max_warm=4) as pool:

        def work(number: int) -> str:
            with pool.open("claude", **agents.options()) as session:
                return session.ask(f"number {number}").text

        with ThreadPoolExecutor(8) as threads:
            said = list(threads.map(work, range(24)))
        assert said == [f"You said: number {number}" for number in range(24)]


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """As in a terminal: whoever runs the tests in the background has the signal ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_interrupts_a_wait_and_loses_nothing(agents: Agents) -> None:
    with sync.Pool() as pool, pool.open("claude", **agents.options()) as session:
        turn = session.send("[[words 1]] [[hang]]")
        striker = ctrl_c_when_the_main_thread_waits()
        with pytest.raises(KeyboardInterrupt):
            turn.result()
        striker.join()
        turn.interrupt()
        assert [event.type for event in turn][-1] == "turn_interrupted"


def test_a_script_that_is_killed_by_ctrl_c_ends(agents: Agents) -> None:
    code = """
import signal, sys
from remuda import sync
sys.path.append(sys.argv[3])
from conftest import ctrl_c_when_the_main_thread_waits
# As in a terminal, also if the tests run in the background.
signal.signal(signal.SIGINT, signal.default_int_handler)
pool = sync.Pool()
session = pool.open("claude", cwd=sys.argv[1], program=sys.argv[2])
ctrl_c_when_the_main_thread_waits()
session.ask("[[hang]]")
"""
    done = python(code, agents.folder, agents.program, Path(__file__).parent)
    assert done.returncode == -signal.SIGINT, done.stderr
    assert "KeyboardInterrupt" in done.stderr


def test_threads_that_read_one_turn_share_its_events(agents: Agents) -> None:
    with sync.Pool() as pool, pool.open("claude", **agents.options()) as session:
        turn = session.send("[[words 40]] [[sleep-ms 200]] [[words 40]]")
        with ThreadPoolExecutor(2) as threads:
            read = [event for part in threads.map(lambda _: list(turn), range(2)) for event in part]
        session.close()
        told = [event.seq for event in session.events() if event.turn == turn.id]
        assert sorted(event.seq for event in read) == told


def test_a_second_thread_leaves_questions_to_the_one_that_waits(agents: Agents) -> None:
    options = {**agents.options(), "timeouts": {"request": 5.0}}
    with sync.Pool() as pool, pool.open("codex", **options, on_request=lambda _: True) as session:
        turn = session.send("[[words 1]] [[hang]]")
        with ThreadPoolExecutor(1) as threads:
            told = threads.submit(list, turn)
            for event in session.events():
                if isinstance(event, remuda.TextDelta):
                    break
            assert session.steer(ASK).into == turn.id
            resolved = [one for one in told.result() if isinstance(one, remuda.RequestResolved)]
        assert [(one.resolution, one.by) for one in resolved] == [("allowed", "host")]


def test_ctrl_c_in_a_handler_denies_its_question_and_leaves_the_rest_to_the_next_wait(agents: Agents) -> None:
    seen: list[int] = []

    def decide(request: remuda.RequestOpened) -> bool:
        seen.append(request.request)
        if len(seen) == 1:
            raise KeyboardInterrupt
        return True

    with sync.Pool() as pool, pool.open("claude", **agents.options(), on_request=decide) as session:
        turn = session.send("[[ask-flood 3]] [[hang]]")
        eventually(lambda: len(session.snapshot()["requests"]) == 3, "it does not ask")
        with pytest.raises(KeyboardInterrupt):
            turn.result()
        resolved: list[str] = []
        for event in turn:
            if isinstance(event, remuda.RequestResolved):
                resolved.append(event.resolution)
                if len(resolved) == 3:
                    break
        assert resolved == ["denied", "allowed", "allowed"]
        assert len(set(seen)) == 3
        turn.interrupt()
