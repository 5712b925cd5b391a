// @agentclientprotocol/sdk, as its examples show it.

import { spawn } from "node:child_process";
import { Readable, Writable } from "node:stream";
import * as acp from "@agentclientprotocol/sdk";
import { plan as read, Tally } from "./tally.mjs";

const plan = read();
let turn;
let stamped = false;

class Listener {
    async sessionUpdate({ update }) {
        if (update.sessionUpdate === "agent_message_chunk") {
            turn?.piece(update.content.text, stamped);
        }
    }

    async requestPermission() {
        return { outcome: { outcome: "cancelled" } };
    }
}

async function play(turns, first) {
    const agent = spawn(plan.agent, ["acp"], { cwd: plan.folder, stdio: ["pipe", "pipe", "ignore"] });
    const stream = acp.ndJsonStream(Writable.toWeb(agent.stdin), Readable.toWeb(agent.stdout));
    const connection = new acp.ClientSideConnection(() => new Listener(), stream);
    await connection.initialize({ protocolVersion: 1, clientCapabilities: {} });
    const { sessionId } = await connection.newSession({ cwd: plan.folder, mcpServers: [] });
    const prompt = (text) => connection.prompt({ sessionId, prompt: [{ type: "text", text }] });
    if (plan.warm) {
        await prompt("hello");
    }
    const tally = first();
    stamped = plan.stamped;
    for (let n = 0; n < turns; n += 1) {
        turn = tally.turnBegins();
        await prompt(plan.prompt);
        turn.ends();
    }
    if (plan.warm) {
        tally.print();
    }
    const ended = new Promise((resolve) => agent.on("exit", resolve));
    agent.stdin.end();
    await ended;
}

if (plan.warm) {
    await play(plan.turns, () => new Tally());
} else {
    const tally = new Tally();
    for (let n = 0; n < plan.turns; n += 1) {
        await play(1, () => tally);
    }
    tally.print();
}
process.exit(0);
