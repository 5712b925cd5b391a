from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import remuda
from fastapi import FastAPI
from fastapi.responses import StreamingResponse


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    # After the fork of a prefork server: a pool belongs to the process that made it.
    async with remuda.Pool(max_warm=5) as pool:
        app.state.pool = pool
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/ask")
async def ask(prompt: str) -> StreamingResponse:
    session = await app.state.pool.open("claude", cwd=".")

    async def stream() -> AsyncIterator[str]:
        async with session:
            turn = session.send(prompt)
            try:
                async for event in turn:
                    if isinstance(event, remuda.TextDelta):
                        yield event.text
            finally:
                # The reader may be gone: then the turn is of no use.
                await turn.interrupt()

    return StreamingResponse(stream(), media_type="text/plain")
