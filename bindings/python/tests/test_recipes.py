"""The manual's programs run, and are those of the manual."""

from __future__ import annotations

import ast
import asyncio
import importlib.util
import inspect
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import Agents

HERE = Path(__file__).resolve().parent.parent
RECIPES = HERE / "recipes"


def environment(program: object, folder: Path, variables: dict[str, str]) -> dict[str, str]:
    """One in which `claude` is that program."""
    place = folder / "bin"
    place.mkdir(exist_ok=True)
    if not (place / "claude").exists():
        (place / "claude").symlink_to(str(program))
    return {**os.environ, **variables, "PATH": f"{place}:{os.environ['PATH']}"}


def run(recipe: str, cwd: Path, env: dict[str, str], *arguments: object) -> str:
    command = [sys.executable, str(RECIPES / recipe), *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_manual_has_the_recipes_as_they_are() -> None:
    blocks = re.findall(r"```python\n(.*?)```", (HERE / "README.md").read_text(), re.S)
    recipes = sorted(path.read_text() for path in RECIPES.glob("*.py"))
    assert sorted(blocks) == recipes
    # And so has the page of the project.
    blocks = re.findall(r"```python\n(.*?)```", (HERE.parent.parent / "README.md").read_text(), re.S)
    assert blocks
    assert set(blocks) <= set(recipes)


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ("quick_start.py", "You said: What is in this folder?"),
        ("script.py", "You said: Say it again."),
        ("questions.py", "You said: Read ticket 7"),
    ],
)
def test_the_programs_run(agents: Agents, recipe: str, said: str) -> None:
    env = environment(agents.program, agents.folder, agents.variables)
    assert said in run(recipe, agents.folder, env)


def test_the_batch_sums_up_every_folder(agents: Agents) -> None:
    folders = [agents.folder / name for name in ("one", "two", "three")]
    for folder in folders:
        folder.mkdir()
    env = environment(agents.program, agents.folder, agents.variables)
    said = run("batch.py", agents.folder, env, *folders, agents.folder / "missing")
    said_of = [f"{f.name}: You said: Sum this repository up in one line." for f in folders]
    assert said.splitlines() == [*said_of, "missing: failed: cwd_unusable"]


def test_the_endpoint_streams(agents: Agents, monkeypatch: pytest.MonkeyPatch) -> None:
    from fastapi.testclient import TestClient

    monkeypatch.setenv("PATH", environment(agents.program, agents.folder, {})["PATH"])
    monkeypatch.chdir(agents.folder)
    spec = importlib.util.spec_from_file_location("recipe", RECIPES / "fastapi_stream.py")
    assert spec is not None
    assert spec.loader is not None
    recipe = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(recipe)
    with TestClient(recipe.app) as client:
        assert client.get("/ask", params={"prompt": "hello"}).text == "You said: hello"


def test_the_cells_of_the_notebook_run(agents: Agents, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", environment(agents.program, agents.folder, {})["PATH"])
    monkeypatch.chdir(agents.folder)
    cells = json.loads((RECIPES / "notebook.ipynb").read_text())["cells"]
    names: dict[str, Any] = {}

    async def notebook() -> None:
        for cell in cells:
            # As Jupyter does it: a coroutine where there is an `await` at the top.
            code = compile("".join(cell["source"]), cell["id"], "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            ran = eval(code, names)
            if inspect.iscoroutine(ran):
                await ran

    asyncio.run(notebook())
    assert names["result"].text == "You said: And the largest?"


@pytest.mark.real
@pytest.mark.parametrize("recipe", ["quick_start.py", "claude_sdk.py"])
def test_the_real_agent_runs_them(real: Any, tmp_path: Path, recipe: str) -> None:
    claude = real("claude")
    env = environment(claude.program, tmp_path, claude.variables)
    env["CLAUDE_AGENT_SDK_SKIP_VERSION_CHECK"] = "1"
    lines = run(recipe, claude.project, env).replace("turn 1turn 2", "turn 1\nturn 2").split("\n")
    assert [line[:6] for line in lines if line] == ["turn 1", "turn 2"]
