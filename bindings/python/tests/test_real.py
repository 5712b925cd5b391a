"""The real Claude Code and Codex, whose model is on loopback."""

from __future__ import annotations

import json
from typing import Any

import pytest
import remuda
from remuda import sync

pytestmark = pytest.mark.real
PROVIDERS = ["claude", "codex"]


@pytest.mark.anyio
@pytest.mark.parametrize("provider", PROVIDERS)
async def test_turns_stream_and_share_a_process(real: Any, provider: str) -> None:
    agent = real(provider)
    async with remuda.Pool() as pool:
        session = await pool.open(provider, **agent.options())
        text = ""
        async for event in session.send('MODEL:[{"words":20}]'):
            if isinstance(event, remuda.TextDelta):
                text += event.text
        assert text.split()[-1] == "word19"
        said = await session.ask('MODEL:["two"]')
        assert said.text == "two"
        assert said.usage is not None
        assert pool.stats().processes_started == 1


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_command_runs_and_a_turn_is_interrupted(real: Any, provider: str) -> None:
    agent = real(provider)
    with sync.Pool() as pool, pool.open(provider, **agent.options()) as session:
        script = json.dumps([{"shell": "echo heron"}, "done"])
        events = list(session.send(f"MODEL:{script}"))
        results = [one for one in events if isinstance(one, remuda.ToolResult)]
        assert "heron" in results[0].text
        turn = session.send('MODEL:[[{"words":5},{"wait_ms":60000}]]')
        for event in turn:
            if isinstance(event, remuda.TextDelta):
                break
        assert turn.interrupt() == "delivered"
        with pytest.raises(remuda.TurnInterruptedError):
            turn.result()
        assert session.ask('MODEL:["again"]').text == "again"
