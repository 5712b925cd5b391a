"""claude-agent-sdk from PyPI, as its documentation shows it: a client for many turns, `query` for one."""

import asyncio

from claude_agent_sdk import ClaudeAgentOptions, ClaudeSDKClient, ResultMessage, StreamEvent, query
from tally import Plan, Tally, Turn


def text_of(message) -> str | None:
    if not isinstance(message, StreamEvent):
        return None
    delta = message.event.get("delta")
    return delta.get("text") if delta else None


async def read(messages, turn: Turn, stamped: bool) -> None:
    async for message in messages:
        text = text_of(message)
        if text is not None:
            turn.piece(text, stamped)
        elif isinstance(message, ResultMessage):
            turn.ends()


async def main() -> None:
    plan = Plan.read()
    options = ClaudeAgentOptions(
        cli_path=plan.agent,
        cwd=plan.folder,
        include_partial_messages=True,
        max_buffer_size=1 << 30,
    )
    if not plan.warm:
        tally = Tally()
        for _ in range(plan.turns):
            turn = tally.turn_begins()
            await read(query(prompt=plan.prompt, options=options), turn, plan.stamped)
        tally.print()
        return
    async with ClaudeSDKClient(options=options) as client:
        await client.query("hello")
        await read(client.receive_response(), Tally().turn_begins(), False)
        tally = Tally()
        for _ in range(plan.turns):
            turn = tally.turn_begins()
            await client.query(plan.prompt)
            await read(client.receive_response(), turn, plan.stamped)
        tally.print()


asyncio.run(main())
