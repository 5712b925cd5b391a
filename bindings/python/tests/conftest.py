"""What the tests share: the scripted agent, the real agents, and the check that nothing is left behind."""

from __future__ import annotations

import ctypes
import json
import linecache
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

ROOT = Path(__file__).resolve().parents[3]
BINARIES = Path(os.environ.get("REMUDA_TEST_BINARIES", ROOT / "target" / "debug"))
PATIENCE = 20.0
"""How long things may take to be gone. Not a measure of speed: a leak never goes."""
BACKENDS = {
    "asyncio": ("asyncio", {"use_uvloop": False}),
    "uvloop": ("asyncio", {"use_uvloop": True}),
    "trio": ("trio", {}),
}


@pytest.fixture(params=list(BACKENDS.values()), ids=list(BACKENDS))
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """Every async test runs under each."""
    return request.param


def children(pid: int) -> list[int]:
    """The processes that a process has started, and those that they have."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            direct = [int(word) for word in task.read_text().split()]
        except OSError:
            continue
        for child in direct:
            found += [child, *children(child)]
    return found


def is_gone(pid: int) -> bool:
    """Whether a process is gone, or only waits for its parent to look."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    return stat.rsplit(")", 1)[1].split()[0] == "Z"


def eventually(holds: Callable[[], bool], what: str) -> None:
    """Waits for what must come."""
    until = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < until, what
        time.sleep(0.01)


def pytest_sessionstart() -> None:
    """What escapes from an agent's tree lands here, where it is seen."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)


_KNOWN: set[int] = set()


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """No process outlives its test."""
    yield

    def left() -> list[int]:
        return [pid for pid in children(os.getpid()) if pid not in _KNOWN and not is_gone(pid)]

    eventually(lambda: not left(), f"processes are left: {left()}")


class Agents:
    """A place where scripted agents live: their state, their script, their working directory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.program = BINARIES / "scripted-agent"
        assert self.program.is_file(), "cargo build --workspace --bins"
        self.variables = {"SCRIPTED_AGENT_STATE": str(folder / "state")}
        (folder / "state").mkdir()

    def script(self, *rules: dict[str, Any]) -> None:
        """What the agents do, and when."""
        path = self.folder / "script.json"
        path.write_text(json.dumps(rules))
        self.variables["SCRIPTED_AGENT_SCRIPT"] = str(path)

    def options(self) -> dict[str, Any]:
        """Options of a session with such an agent."""
        return {
            "cwd": self.folder,
            "program": self.program,
            "environment": {"set": self.variables},
        }


@pytest.fixture
def agents(tmp_path: Path) -> Agents:
    """Scripted agents."""
    return Agents(tmp_path)


class Real:
    """A real agent whose model is on loopback."""

    def __init__(self, provider: str, program: str, variables: dict[str, str], project: Path) -> None:
        self.provider = provider
        self.program = program
        self.variables = variables
        self.project = project

    def options(self) -> dict[str, Any]:
        """Options of a session in which tools run unasked."""
        return {
            "cwd": self.project,
            "program": self.program,
            "environment": {"set": self.variables, "clear": True},
            "permission_mode": "bypass_permissions",
        }


@pytest.fixture
def real(tmp_path: Path) -> Iterator[Callable[[str], Real]]:
    """Makes a real agent of a provider's name."""
    servers: list[subprocess.Popen[str]] = []

    def make(provider: str) -> Real:
        home, project = tmp_path / f"{provider}-home", tmp_path / f"{provider}-project"
        home.mkdir()
        project.mkdir()
        command = [BINARIES / "model-api", "--agent", provider, "--home", home]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        servers.append(server)
        _KNOWN.add(server.pid)
        assert server.stdout is not None
        server.stdout.readline()
        told = json.loads(server.stdout.readline())
        return Real(provider, told["program"], told["env"], project)

    yield make
    for server in servers:
        server.kill()
        server.wait()
        if server.stdout is not None:
            server.stdout.close()


def python(
    code: str, *arguments: object, env: dict[str, str] | None = None, timeout: float = 60.0
) -> subprocess.CompletedProcess[str]:
    """Runs code in an interpreter of its own."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    variables = {**os.environ, **(env or {})}
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=variables, check=False)


def ctrl_c_when_the_main_thread_waits() -> threading.Thread:
    """Sends the signal of Ctrl-C once the main thread is in the wait for an inbox."""
    main = threading.main_thread().ident

    def waits() -> bool:
        frame = sys._current_frames()[main or 0]
        return linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip() == "inbox.wait()"

    def strike() -> None:
        eventually(waits, "the main thread does not wait")
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=strike)
    thread.start()
    return thread
