"""The synchronous face."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import remuda
from conftest import Agents, python
from remuda import sync


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
        timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            turn.result()
        timer.join()
        turn.interrupt()
        assert [event.type for event in turn][-1] == "turn_interrupted"


def test_a_script_that_is_killed_by_ctrl_c_ends(agents: Agents) -> None:
    code = """
import os, signal, sys, threading
from remuda import sync
# As in a terminal, also if the tests run in the background.
signal.signal(signal.SIGINT, signal.default_int_handler)
pool = sync.Pool()
session = pool.open("claude", cwd=sys.argv[1], program=sys.argv[2])
threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
session.ask("[[hang]]")
"""
    done = python(code, agents.folder, agents.program)
    assert done.returncode == -signal.SIGINT, done.stderr
    assert "KeyboardInterrupt" in done.stderr
