"""agent-client-protocol from PyPI, as its documentation shows it."""

import asyncio

from acp import PROTOCOL_VERSION, spawn_agent_process, text_block
from acp.interfaces import Client
from tally import Plan, Tally


class Listener(Client):
    """Hears the agent's text."""

    def __init__(self) -> None:
        self.turn = None
        self.stamped = False

    async def session_update(self, session_id, update, **_) -> None:
        if update.session_update == "agent_message_chunk" and self.turn is not None:
            self.turn.piece(update.content.text, self.stamped)


async def play(plan: Plan, tally: Tally | None, turns: int) -> None:
    listener = Listener()
    async with spawn_agent_process(
        listener, plan.agent, "acp", cwd=plan.folder, transport_kwargs={"limit": 1 << 30}
    ) as (agent, _process):
        await agent.initialize(protocol_version=PROTOCOL_VERSION)
        opened = await agent.new_session(cwd=plan.folder, mcp_servers=[])
        if tally is None:
            await agent.prompt(session_id=opened.session_id, prompt=[text_block("hello")])
            tally = Tally()
        listener.stamped = plan.stamped
        for _ in range(turns):
            listener.turn = tally.turn_begins()
            await agent.prompt(session_id=opened.session_id, prompt=[text_block(plan.prompt)])
            listener.turn.ends()
        if plan.warm:
            tally.print()


async def main() -> None:
    plan = Plan.read()
    if plan.warm:
        await play(plan, None, plan.turns)
        return
    tally = Tally()
    for _ in range(plan.turns):
        await play(plan, tally, 1)
    tally.print()


asyncio.run(main())
