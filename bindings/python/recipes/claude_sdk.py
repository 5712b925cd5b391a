import asyncio

from claude_agent_sdk import ClaudeAgentOptions, ResultMessage

# The one line that changes: it was `from claude_agent_sdk import query`.
from remuda.claude_sdk import query


async def main() -> None:
    options = ClaudeAgentOptions(cwd=".")
    for prompt in ["What is in this folder?", "And which file is the largest?"]:
        async for message in query(prompt=prompt, options=options):
            if isinstance(message, ResultMessage):
                print(message.result)
                options.resume = message.session_id


asyncio.run(main())
