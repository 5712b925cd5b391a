"""The real `claude-agent-sdk` over a pool, with the real Claude Code."""

from __future__ import annotations

from collections.abc import AsyncIterable
from typing import Any

import anyio
import claude_agent_sdk as sdk
import pytest
import remuda
from remuda.claude_sdk import Warm

pytestmark = [pytest.mark.real, pytest.mark.anyio]


@pytest.fixture(params=[("asyncio", {"use_uvloop": False}), ("trio", {})], ids=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return request.param


def options(claude: Any, **more: Any) -> sdk.ClaudeAgentOptions:
    return sdk.ClaudeAgentOptions(
        cli_path=claude.program,
        cwd=claude.project,
        env=claude.variables,
        permission_mode="bypassPermissions",
        **more,
    )


async def ask(
    warm: Warm, prompt: str | AsyncIterable[dict[str, Any]], told: sdk.ClaudeAgentOptions
) -> sdk.ResultMessage:
    result: sdk.ResultMessage | None = None
    async for message in warm.query(prompt=prompt, options=told):
        if isinstance(message, sdk.ResultMessage):
            result = message
    assert result is not None
    return result


async def test_a_conversation_goes_on_in_the_process_that_it_had(real: Any) -> None:
    claude = real("claude")
    async with remuda.Pool() as pool:
        warm = Warm(pool, spares=0)
        first = await ask(warm, 'marker-heron MODEL:["one"]', options(claude))
        assert first.result == "one"
        again = options(claude, resume=first.session_id)
        second = await ask(warm, 'MODEL:[{"recall":"marker-"}]', again)
        assert second.result == "marker-heron"
        assert second.session_id == first.session_id
        assert pool.stats().processes_started == 1
        # Started in another way, it is another process, and the conversation is the same.
        other = options(claude, resume=first.session_id, max_turns=3)
        third = await ask(warm, 'MODEL:[{"recall":"marker-"}]', other)
        assert third.result == "marker-heron"
        assert pool.stats().processes_started == 2


async def test_a_new_conversation_gets_a_process_that_was_started_ahead(real: Any) -> None:
    claude = real("claude")
    async with remuda.Pool() as pool:
        warm = Warm(pool, spares=1)
        first = await ask(warm, 'MODEL:["one"]', options(claude))
        while pool.stats().processes_started < 2:
            await anyio.sleep(0.001)
        second = await ask(warm, 'MODEL:["two"]', options(claude))
        assert second.session_id != first.session_id
        assert second.result == "two"
        while pool.stats().processes_started < 3:
            await anyio.sleep(0.001)


async def test_clients_hooks_tools_and_permissions_work_as_with_the_sdk_alone(real: Any) -> None:
    claude = real("claude")
    asked: list[str] = []
    hooked: list[str] = []

    async def permit(name: str, _: dict[str, Any], __: Any) -> sdk.PermissionResult:
        asked.append(name)
        return sdk.PermissionResultAllow()

    async def hook(data: Any, _: str | None, __: Any) -> Any:
        hooked.append(data["tool_name"])
        return {}

    @sdk.tool("add", "Adds.", {"a": int, "b": int})
    async def add(given: dict[str, Any]) -> dict[str, Any]:
        return {"content": [{"type": "text", "text": str(given["a"] + given["b"])}]}

    told = options(
        claude,
        can_use_tool=permit,
        hooks={"PreToolUse": [sdk.HookMatcher(matcher=None, hooks=[hook])]},
        mcp_servers={"mine": sdk.create_sdk_mcp_server("mine", tools=[add])},
        include_partial_messages=True,
    )
    told.permission_mode = "default"
    async with remuda.Pool() as pool:
        warm = Warm(pool, spares=0)
        async with sdk.ClaudeSDKClient(told, transport=warm.transport(told)) as client:
            await client.query('MODEL:[{"tool":"mcp__mine__add","input":{"a":2,"b":3}},{"echo":"result"}]')
            texts = [
                block.text
                async for message in client.receive_response()
                if isinstance(message, sdk.AssistantMessage)
                for block in message.content
                if isinstance(block, sdk.TextBlock)
            ]
            assert "5" in texts[-1]
            assert (asked, hooked) == (["mcp__mine__add"], ["mcp__mine__add"])
            await client.query('MODEL:[[{"words":3},{"wait_ms":60000}]]')
            async for message in client.receive_messages():
                if isinstance(message, sdk.StreamEvent):
                    break
            await client.interrupt()
            async for message in client.receive_response():
                last = message
            assert isinstance(last, sdk.ResultMessage)
            await client.set_model("another")
        # What is in this program cannot serve another transport.
        assert pool.stats().idle == 0


async def test_an_error_of_the_model_is_told_as_the_sdk_tells_it(real: Any) -> None:
    claude = real("claude")
    async with remuda.Pool() as pool:
        with pytest.raises(sdk.ResultError):
            await ask(Warm(pool, spares=0), 'MODEL:[{"error":400}]', options(claude))
        assert pool.stats().idle == 0


async def test_an_agent_that_is_not_there_is_told_as_the_sdk_tells_it(real: Any) -> None:
    claude = real("claude")
    told = options(claude)
    told.cli_path = "/no/such/claude"
    async with remuda.Pool() as pool:
        with pytest.raises(sdk.CLINotFoundError):
            await ask(Warm(pool), "hello", told)


def test_one_changed_line_is_enough(real: Any) -> None:
    from conftest import python

    claude = real("claude")
    code = """
import asyncio, json, sys
from claude_agent_sdk import ClaudeAgentOptions, ResultMessage
from remuda.claude_sdk import ClaudeSDKClient, query, warm

told = json.loads(sys.argv[1])
options = ClaudeAgentOptions(**told)

async def main():
    async for message in query(prompt='MODEL:["one"]', options=options):
        if isinstance(message, ResultMessage):
            print(message.result)
            options.resume = message.session_id
    async with ClaudeSDKClient(options) as client:
        await client.query('MODEL:["two"]')
        async for message in client.receive_response():
            if isinstance(message, ResultMessage):
                print(message.result)

asyncio.run(main())
"""
    import json

    told = {"cli_path": claude.program, "cwd": str(claude.project), "env": claude.variables}
    done = python(code, json.dumps(told))
    assert (done.returncode, done.stdout) == (0, "one\ntwo\n"), done.stderr
