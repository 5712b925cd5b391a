"""`python -m remuda doctor`."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import remuda
from conftest import PATIENCE, Agents, eventually


def run(agents: Agents, *more: str) -> str:
    environment = {"PATH": str(agents.folder), "HOME": str(agents.folder)}
    (agents.folder / "claude").symlink_to(agents.program)
    command = [sys.executable, "-m", "remuda", "doctor", *more]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    (agents.folder / "claude").unlink()
    return done.stdout


def test_it_tells_which_agents_are_there(agents: Agents) -> None:
    table = run(agents)
    rows = {line.split()[0]: line for line in table.splitlines() if line}
    assert "warm" in rows["claude"]
    assert str(agents.folder) in rows["claude"]
    assert "not installed" in rows["codex"]
    assert rows["remuda"].startswith(f"remuda {remuda.__version__}; process trees end by: ")
    report = json.loads(run(agents, "--json"))
    found = {one["provider"]: one["program"] is not None for one in report["agents"]}
    assert found["claude"]
    assert not found["codex"]


def test_ctrl_c_ends_the_wait_for_a_program(agents: Agents) -> None:
    code = """
import signal
import remuda
# As in a terminal, also if the tests run in the background.
signal.signal(signal.SIGINT, signal.default_int_handler)
remuda.doctor(60.0)
"""
    began, program = agents.folder / "began", agents.folder / "claude"
    program.write_text(f'#!/bin/sh\n: > "{began}"\nexec /bin/sleep 60\n')
    program.chmod(0o755)
    environment = {"PATH": str(agents.folder), "HOME": str(agents.folder)}
    with subprocess.Popen([sys.executable, "-c", code], env=environment, stderr=subprocess.PIPE) as asked:
        try:
            eventually(began.exists, "the program was not started")
            asked.send_signal(signal.SIGINT)
            assert asked.wait(PATIENCE) == -signal.SIGINT
        finally:
            asked.kill()
