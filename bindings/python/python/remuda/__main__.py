"""`python -m remuda doctor`: what of this machine matters before a session is opened."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

import remuda


def table(report: dict[str, Any]) -> str:
    """The report for people."""
    rows = [("agent", "version", "runs", "login", "program")]
    for agent in report["agents"]:
        found = agent["program"] is not None
        rows.append(
            (
                agent["provider"],
                agent["version"] or "-",
                "one-shot" if agent["mode"] == "one_shot" else str(agent["mode"]),
                agent["login"].replace("_", " ") if found else "-",
                agent["program"] or "not installed",
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    problems = [f"{one['provider']}: {one['problem']}" for one in report["agents"] if one["problem"]]
    contained = report["containment"].replace("_", " ")
    lines += ["", f"remuda {report['version']}; process trees end by: {contained}"]
    if report["containment_problem"]:
        lines.append(f"  {report['containment_problem']}")
    return "\n".join([*lines, *(["", *problems] if problems else [])])


def main(arguments: list[str]) -> int:
    """Runs the command; gives its exit code."""
    parser = argparse.ArgumentParser(prog="python -m remuda", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    doctor = commands.add_parser("doctor", help="which agents are installed, and what they can")
    doctor.add_argument("--json", action="store_true", help="as JSON")
    doctor.add_argument("--timeout", type=float, default=10.0, help="seconds for all programs")
    chosen = parser.parse_args(arguments)
    report = remuda.doctor(chosen.timeout)
    print(json.dumps(report, indent=2) if chosen.json else table(report))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
