import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import remuda
from remuda import sync
from tqdm import tqdm


def summary(pool: sync.Pool, folder: Path) -> str:
    try:
        with pool.open("claude", cwd=folder, permission_mode="read_only") as session:
            return session.ask("Sum this repository up in one line.").text
    except remuda.RemudaError as error:
        return f"failed: {error.code}"


folders = [Path(name) for name in sys.argv[1:]]
# The pool is shut down first: after Ctrl-C no thread waits for its turn.
with ThreadPoolExecutor(4) as threads, sync.Pool(max_warm=4) as pool:
    work = threads.map(lambda folder: summary(pool, folder), folders)
    for folder, text in zip(folders, tqdm(work, total=len(folders))):
        print(f"{folder.name}: {text}")
