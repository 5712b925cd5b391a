"""Remuda from Python, as its documentation shows it: one loop over the events of a turn."""

import asyncio

import remuda
from tally import Plan, Tally, memory


async def play(session: remuda.Session, prompt: str, turns: int, tally: Tally, stamped: bool) -> None:
    for _ in range(turns):
        turn = tally.turn_begins()
        async for event in session.send(prompt):
            if isinstance(event, remuda.TextDelta):
                turn.piece(event.text, stamped)
            elif isinstance(event, (remuda.TurnFailed, remuda.TurnInterrupted)):
                raise RuntimeError(str(event))
        turn.ends()


async def main() -> None:
    plan = Plan.read()
    most = max(plan.sessions, 2)
    async with remuda.Pool(max_warm=plan.sessions, max_processes=2 * most, max_starting=4) as pool:
        before = memory("VmRSS:")
        sessions = []
        for _ in range(plan.sessions):
            mode = "auto" if plan.warm else "never"
            session = await pool.open(
                plan.provider, program=plan.agent, cwd=plan.folder, persistent=mode
            )
            if plan.warm:
                await play(session, "hello", 1, Tally(), False)
            sessions.append(session)
        idle = (memory("VmRSS:") - before) / plan.sessions
        tally = Tally()
        await asyncio.gather(
            *(play(session, plan.prompt, plan.turns, tally, plan.stamped) for session in sessions)
        )
        tally.print(idle)


asyncio.run(main())
