"""Ends of interpreters and forks, with sessions that live."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from conftest import Agents, python

SCRIPT = Path(__file__).with_name("exits.py")
STATES = [
    "idle",
    "mid-turn",
    "mid-callback",
    "open-request",
    "daemon-waits",
    "exit-elsewhere",
    "os-exit-elsewhere",
]
EXITS = 20 if os.environ.get("REMUDA_TEST_QUICK") else 200


def test_two_hundred_interpreters_end_in_every_state_without_a_crash_or_a_hang(
    agents: Agents,
) -> None:
    def leave(number: int) -> tuple[str, int, str]:
        state = STATES[number % len(STATES)]
        command = [sys.executable, "-X", "dev", str(SCRIPT), state]
        command += [str(agents.folder), str(agents.program)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        return state, done.returncode, done.stderr

    with ThreadPoolExecutor(4) as threads:
        ends = list(threads.map(leave, range(EXITS)))
    assert [end for end in ends if end[1:] != (0, "")] == []


FORK = """
import os, sys
import remuda
from remuda import sync
how, folder, program = sys.argv[1:4]
options = {"cwd": folder, "program": program}
pool = sync.Pool()
session = pool.open("claude", **options)
assert session.ask("one").text == "You said: one"
turn = session.send("[[hang]]")
reader = session.events()
next(reader)

def refused(call):
    try:
        call()
    except remuda.ForkedError as error:
        assert error.code == "forked"
        return True
    return False

def child():
    assert refused(lambda: pool.stats())
    assert refused(lambda: pool.open("claude", **options))
    assert refused(lambda: session.send("two"))
    assert refused(lambda: session.close())
    assert refused(lambda: turn.result())
    assert refused(lambda: list(turn))
    # One of its own works.
    with sync.Pool() as own, own.open("claude", **options) as mine:
        assert mine.ask("mine").text == "You said: mine"

if how == "fork":
    pid = os.fork()
    if pid == 0:
        child()
        # By the ordinary way out, which drops everything.
        sys.exit(0)
    assert os.waitpid(pid, 0)[1] == 0
else:
    import multiprocessing
    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join(30)
    assert process.exitcode == 0, process.exitcode
turn.interrupt()
assert list(turn)[-1].is_turn_end
assert session.ask("still there").text == "You said: still there"
"""


@pytest.mark.parametrize("how", ["fork", "multiprocessing"])
def test_a_forked_copy_is_refused_clearly_and_may_have_a_pool_of_its_own(agents: Agents, how: str) -> None:
    done = python(FORK, how, agents.folder, agents.program)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr


SPAWN = """
import multiprocessing
import sys
from remuda import sync

def child(folder, program):
    with sync.Pool() as pool, pool.open("claude", cwd=folder, program=program) as session:
        assert session.ask("child").text == "You said: child"

if __name__ == "__main__":
    folder, program = sys.argv[1:3]
    with sync.Pool() as pool, pool.open("claude", cwd=folder, program=program) as session:
        session.ask("one")
        context = multiprocessing.get_context("spawn")
        process = context.Process(target=child, args=(folder, program))
        process.start()
        process.join(30)
        assert process.exitcode == 0, process.exitcode
        assert session.ask("two").text == "You said: two"
"""


def test_a_spawned_process_has_a_pool_of_its_own(agents: Agents, tmp_path: Path) -> None:
    script = tmp_path / "spawns.py"
    script.write_text(SPAWN)
    command = [sys.executable, str(script), str(agents.folder), str(agents.program)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


FAILS = """
import atexit, sys, time
ended = []
# What is registered first is called last: when the library is done.
atexit.register(lambda: print(time.monotonic() - ended[0]))
from remuda import sync
pool = sync.Pool()
session = pool.open("claude", cwd=sys.argv[1], program=sys.argv[2])
atexit.register(lambda: ended.append(time.monotonic()))
session.ask("[[hang]]", budget={"max_duration": 0.1})
"""


def test_an_error_that_nobody_catches_does_not_delay_the_end(agents: Agents) -> None:
    done = python(FAILS, agents.folder, agents.program)
    assert done.returncode == 1
    assert "TurnFailedError: budget_exceeded" in done.stderr
    # A thread that waits would be waited for so long.
    assert float(done.stdout) < 2.0
