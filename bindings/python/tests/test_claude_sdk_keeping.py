"""Which processes of `claude-agent-sdk` are kept for what goes on later, and how the SDK hears that one is not."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any, Callable

import anyio
import claude_agent_sdk as sdk
import pytest
import remuda
from conftest import PATIENCE, Agents, python
from remuda.claude_sdk import Warm
from test_claude_sdk import ask

pytestmark = pytest.mark.anyio

ASK = '[[ask Bash "ls" 0]]'
POINT = "5b7c2f0e-6f0d-4a53-9b1e-0d8f8a1c2e11"


def options(agents: Agents, **more: Any) -> sdk.ClaudeAgentOptions:
    return sdk.ClaudeAgentOptions(cli_path=agents.program, cwd=agents.folder, env=agents.variables, **more)


def starts(agents: Agents) -> list[Any]:
    return [json.loads(line) for line in (agents.folder / "state" / "starts.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(
    ("change", "started"),
    [
        (lambda client: client.set_permission_mode("acceptEdits"), 2),
        (lambda client: client.set_model("another"), 2),
        (lambda client: client.get_mcp_status(), 1),
        (lambda client: client.interrupt(), 1),
    ],
    ids=["mode", "model", "status", "interrupt"],
)
async def test_a_process_that_a_client_has_changed_serves_nobody_else(
    agents: Agents, change: Callable[[sdk.ClaudeSDKClient], Any], started: int
) -> None:
    async with remuda.Pool() as pool:
        warm = Warm(pool, spares=0)
        told = options(agents)
        async with sdk.ClaudeSDKClient(told, transport=warm.transport(told)) as client:
            await client.query("one")
            results = [one async for one in client.receive_response() if isinstance(one, sdk.ResultMessage)]
            await change(client)
        again = options(agents, resume=results[0].session_id)
        assert (await ask(warm, "two", again)).result == "You said: two"
        assert pool.stats().processes_started == started


@pytest.mark.parametrize("lasting", [False, True])
async def test_a_process_with_rules_of_a_callback_serves_nobody_else(agents: Agents, lasting: bool) -> None:
    rules = [sdk.types.PermissionRuleValue(tool_name="Bash")]
    update = sdk.PermissionUpdate(type="addRules", rules=rules, behavior="allow", destination="session")

    async def permit(*_: Any) -> sdk.PermissionResult:
        return sdk.PermissionResultAllow(updated_permissions=[update] if lasting else None)

    async with remuda.Pool() as pool:
        warm = Warm(pool, spares=0)
        first = await ask(warm, ASK, options(agents, can_use_tool=permit))
        await ask(warm, "two", options(agents, can_use_tool=permit, resume=first.session_id))
        assert pool.stats().processes_started == (2 if lasting else 1)


@pytest.mark.parametrize(("mode", "started"), [("default", 1), ("acceptEdits", 2)])
async def test_a_process_that_has_changed_its_mode_serves_nobody_else(agents: Agents, mode: str, started: int) -> None:
    status = {"type": "system", "subtype": "status", "permissionMode": mode, "session_id": "", "uuid": ""}
    async with remuda.Pool() as pool:
        warm = Warm(pool, spares=0)
        with anyio.fail_after(PATIENCE):
            first = await ask(warm, f"[[raw {json.dumps(status)}]] [[say one]]", options(agents))
        await ask(warm, "two", options(agents, resume=first.session_id))
        assert pool.stats().processes_started == started


async def test_every_retry_from_a_point_goes_on_from_there(agents: Agents) -> None:
    async with remuda.Pool() as pool:
        warm = Warm(pool, spares=0)
        first = await ask(warm, "one", options(agents))
        for prompt in ("two", "another two"):
            await ask(warm, prompt, options(agents, resume=first.session_id, resume_session_at=POINT))
        told = [f"--resume-session-at={POINT}" in start["arguments"] for start in starts(agents)]
        assert told == [False, True, True]
        # What comes after a retry goes on in its process.
        await ask(warm, "three", options(agents, resume=first.session_id))
        assert pool.stats().processes_started == 3


@pytest.mark.parametrize("fails", [False, True])
async def test_a_query_without_a_message_ends(agents: Agents, fails: bool) -> None:
    async def nothing() -> AsyncIterator[dict[str, Any]]:
        if fails:
            raise ValueError("no prompt")
        return
        yield {}

    async with remuda.Pool() as pool:
        with anyio.fail_after(PATIENCE):
            told = [one async for one in Warm(pool, spares=0).query(prompt=nothing(), options=options(agents))]
        assert not any(isinstance(one, sdk.ResultMessage) for one in told)
        assert pool.stats().idle == 0


async def test_a_query_whose_messages_are_answered_as_one_ends(agents: Agents) -> None:
    asked, said = anyio.Event(), anyio.Event()

    def message(text: str) -> dict[str, Any]:
        return {"type": "user", "message": {"role": "user", "content": text}, "parent_tool_use_id": None}

    async def prompt() -> AsyncIterator[dict[str, Any]]:
        yield message(ASK)
        await asked.wait()
        yield message("and this")
        said.set()

    async def permit(*_: Any) -> sdk.PermissionResult:
        asked.set()
        await said.wait()
        return sdk.PermissionResultAllow()

    async with remuda.Pool() as pool:
        query = Warm(pool, spares=0).query(prompt=prompt(), options=options(agents, can_use_tool=permit))
        with anyio.fail_after(PATIENCE):
            results = [one async for one in query if isinstance(one, sdk.ResultMessage)]
        assert len(results) == 1


async def test_what_is_known_of_evicted_processes_is_forgotten(agents: Agents) -> None:
    async with remuda.Pool(max_warm=1) as pool:
        warm = Warm(pool, spares=0)
        results = [await ask(warm, prompt, options(agents)) for prompt in ("one", "two", "three")]
        assert list(warm._kept) == [results[-1].session_id]


async def test_a_store_that_would_not_be_loaded_is_refused(agents: Agents) -> None:
    store = sdk.InMemorySessionStore()
    async with remuda.Pool() as pool:
        warm = Warm(pool)
        warm.transport(options(agents, session_store=store))
        for more in ({"resume": POINT}, {"continue_conversation": True}):
            with pytest.raises(ValueError, match="session_store"):
                warm.transport(options(agents, session_store=store, **more))


async def test_a_failed_query_raises_as_with_the_sdk_alone(agents: Agents) -> None:
    async with remuda.Pool() as pool:
        with anyio.fail_after(PATIENCE), pytest.raises(sdk.ResultError):
            await ask(Warm(pool, spares=0), "[[model-error 400]]", options(agents))
        assert pool.stats().idle == 0


async def test_a_client_that_connects_again_initializes_its_new_process(agents: Agents) -> None:
    async with remuda.Pool() as pool:
        warm = Warm(pool, spares=0)
        first = await ask(warm, "one", options(agents))
        told = options(agents, resume=first.session_id)
        client = sdk.ClaudeSDKClient(told, transport=warm.transport(told))
        pids = []
        for _ in range(2):
            await client.connect()
            pids.append((await client.get_server_info() or {})["pid"])
            await client.disconnect()
        assert pids == [start["pid"] for start in starts(agents)]


async def test_a_reader_follows_to_the_process_that_takes_the_place(agents: Agents) -> None:
    other = {"type": "control_request", "request_id": "1", "request": {"subtype": "initialize", "agents": {}}}
    async with remuda.Pool() as pool:
        warm = Warm(pool, spares=0)
        first = await ask(warm, "one", options(agents))
        transport = warm.transport(options(agents, resume=first.session_id))
        await transport.connect()
        pids = []

        async def read() -> None:
            async for message in transport.read_messages():
                pids.append(message["response"]["response"]["pid"])
                tasks.cancel_scope.cancel()

        with anyio.fail_after(PATIENCE):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(read)
                await anyio.wait_all_tasks_blocked()
                await transport.write(json.dumps(other) + "\n")
        await transport.close()
        assert pids == [starts(agents)[1]["pid"]]


def test_a_forked_copy_has_a_pool_of_its_own_whoever_was_making_one() -> None:
    code = """
import os, signal
from remuda import claude_sdk

with claude_sdk._lock:
    copy = os.fork()
    if copy == 0:
        signal.alarm(20)
        claude_sdk.warm()
        os._exit(0)
print(os.waitpid(copy, 0)[1])
"""
    done = python(code)
    assert (done.returncode, done.stdout) == (0, "0\n"), done.stderr
