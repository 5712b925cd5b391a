"""An interpreter that ends in the state that its first argument names. Run by `test_exits.py`."""

import asyncio
import os
import sys
import threading
import time

import remuda
from remuda import sync

STATE, FOLDER, PROGRAM = sys.argv[1:4]
OPTIONS = {"cwd": FOLDER, "program": PROGRAM}


def synchronous() -> None:
    """Ends with a session of which a thread may be waiting."""
    pool = sync.Pool()
    session = pool.open("claude", **OPTIONS)
    session.ask("one")
    if STATE == "idle":
        os.environ["KEPT"] = str(id(pool))
        globals()["kept"] = (pool, session)
        return
    turn = session.send("[[words 2]] [[hang]]")
    globals()["kept"] = (pool, session, turn)
    if STATE == "mid-turn":
        next(iter(turn))
    elif STATE == "daemon-waits":
        threading.Thread(target=turn.result, daemon=True).start()
        # Most times it waits by now. The exit is to be clean either way.
        time.sleep(0.05)
    elif STATE == "exit-elsewhere":

        def leave() -> None:
            next(iter(turn))
            # Most times the main thread is at its end by now. The exit is to be clean either way.
            time.sleep(0.05)
            turn.interrupt()
            globals()["late"] = list(turn)

        threading.Thread(target=leave).start()
    elif STATE == "os-exit-elsewhere":
        thread = threading.Thread(target=lambda: os._exit(0))
        thread.start()
        turn.result()


async def under_a_loop() -> None:
    """Ends with a question that is open, or in the handler of one."""
    asked = asyncio.Event()

    async def decide(_: remuda.RequestOpened) -> bool:
        asked.set()
        if STATE == "mid-callback":
            sys.exit(0)
        await asyncio.sleep(60)
        return True

    pool = remuda.Pool()
    session = await pool.open("claude", **OPTIONS, on_request=decide)
    globals()["kept"] = (pool, session)
    turn = session.send('[[ask Bash "ls" 0]]')
    globals()["turn"] = turn
    await asked.wait()


if STATE in ("open-request", "mid-callback"):
    asyncio.run(under_a_loop())
else:
    synchronous()
