from remuda import sync

with sync.Pool() as pool, pool.open("claude", cwd=".") as session:
    for event in session.send("Say hello."):
        print(event)
    print(session.ask("Say it again.").text)
