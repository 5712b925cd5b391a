// Remuda from Node, as its documentation shows it: one loop over the events of a turn.

import { createRequire } from "node:module";
import { memory, plan as read, Tally } from "./tally.mjs";

const { Pool } = createRequire(import.meta.url)(process.env.REMUDA_BENCH_MODULE);

const plan = read();

async function play(session, prompt, turns, tally, stamped) {
    for (let n = 0; n < turns; n += 1) {
        const turn = tally.turnBegins();
        for await (const event of session.send(prompt)) {
            if (event.type === "text_delta") {
                turn.piece(event.text, stamped);
            } else if (event.type === "turn_failed" || event.type === "turn_interrupted") {
                throw new Error(JSON.stringify(event));
            }
        }
        turn.ends();
    }
}

const most = 2 * Math.max(plan.sessions, 2);
const pool = new Pool({ maxWarm: plan.sessions, maxProcesses: most, maxStarting: 4 });
const before = memory("VmRSS:");
const sessions = [];
for (let n = 0; n < plan.sessions; n += 1) {
    const persistent = plan.warm ? "auto" : "never";
    const session = await pool.open(plan.provider, { program: plan.agent, cwd: plan.folder, persistent });
    if (plan.warm) {
        await play(session, "hello", 1, new Tally(), false);
    }
    sessions.push(session);
}
const idle = (memory("VmRSS:") - before) / plan.sessions;
const tally = new Tally();
await Promise.all(sessions.map((session) => play(session, plan.prompt, plan.turns, tally, plan.stamped)));
tally.print(idle);
await pool.shutdown();
