import asyncio
from typing import Annotated

import remuda

# Whole commands: what begins like one may go on with another.
ALLOWED = {"git status", "git log", "git log --oneline"}


@remuda.tool
async def ticket(number: Annotated[int, "its number"]) -> str:
    """Reads a ticket of our tracker."""
    return f"ticket {number}: the build is red"


async def decide(request: remuda.RequestOpened) -> remuda.Answer:
    if request.kind == "command_approval" and request.title in ALLOWED:
        return remuda.allow()
    return remuda.deny("Only git status and git log, please.")


async def main() -> None:
    async with remuda.Pool() as pool:
        session = await pool.open("claude", cwd=".", on_request=decide, tools=[ticket])
        try:
            print((await session.ask("Read ticket 7 and look at the log.")).text)
        except remuda.TurnFailedError as error:
            print(error.code, error.message)


asyncio.run(main())
