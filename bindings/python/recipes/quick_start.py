import asyncio

import remuda


async def main() -> None:
    async with remuda.Pool(max_warm=5) as pool:
        session = await pool.open("claude", cwd=".")
        async for event in session.send("What is in this folder?"):
            if isinstance(event, remuda.TextDelta):
                print(event.text, end="", flush=True)
        # The same process, still warm, and the same conversation.
        result = await session.ask("And which file is the largest?")
        print(result.text, result.usage)


asyncio.run(main())
