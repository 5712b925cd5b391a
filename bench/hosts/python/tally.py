"""What the hosts in Python share: their arguments, and the line of JSON that each prints. See bench/src/host.rs."""

import json
import sys
import time
from dataclasses import dataclass, field


@dataclass
class Plan:
    warm: bool
    provider: str
    agent: str
    folder: str
    sessions: int
    turns: int
    prompt: str

    @staticmethod
    def read() -> "Plan":
        how, provider, agent, folder, sessions, turns, prompt = sys.argv[1:]
        return Plan(how == "warm", provider, agent, folder, int(sessions), int(turns), prompt)

    @property
    def stamped(self) -> bool:
        return "stamped" in self.prompt


@dataclass
class Tally:
    events: int = 0
    bytes: int = 0
    first: list = field(default_factory=list)
    end: list = field(default_factory=list)
    latency: list = field(default_factory=list)
    cpu: float = field(default_factory=time.process_time)
    wall: float = field(default_factory=time.monotonic)

    def turn_begins(self) -> "Turn":
        return Turn(self)

    def piece(self, text: str, stamped: bool) -> None:
        self.events += 1
        self.bytes += len(text)
        if stamped:
            now = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
            self.latency.extend((now - int(at)) / 1e3 for at in text.split())

    def print(self, idle_kb: float = 0) -> None:
        told = {
            "cpu_us": (time.process_time() - self.cpu) * 1e6,
            "wall_us": (time.monotonic() - self.wall) * 1e6,
            "events": self.events,
            "bytes": self.bytes,
            "peak_kb": memory("VmHWM:"),
            "idle_kb": idle_kb,
            "first_us": at(self.first, 50),
            "end_us": at(self.end, 50),
            "p50_us": at(self.latency, 50),
            "p99_us": at(self.latency, 99),
            "max_us": at(self.latency, 100),
        }
        print(json.dumps(told), flush=True)


class Turn:
    """One turn of a session."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally
        self.start = time.monotonic()
        self.shown = False

    def piece(self, text: str, stamped: bool) -> None:
        if not self.shown:
            self.shown = True
            self.tally.first.append((time.monotonic() - self.start) * 1e6)
        self.tally.piece(text, stamped)

    def ends(self) -> None:
        self.tally.end.append((time.monotonic() - self.start) * 1e6)


def memory(name: str) -> float:
    with open("/proc/self/status", encoding="ascii") as status:
        for line in status:
            if line.startswith(name):
                return float(line.split()[1])
    return 0.0


def at(values: list, percent: int) -> float:
    ordered = sorted(values)
    return ordered[(len(ordered) - 1) * percent // 100] if ordered else 0.0
