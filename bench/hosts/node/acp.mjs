// @agentclientprotocol/sdk, as its examples show it.

import { spawn } from "node:child_process";
import { Readable, Writable } from "node:stream";
import * as acp from "@agentclientprotocol/sdk";
import { plan as read, Tally } from "./tally.mjs";

const plan = read();
let turn;
let stamped = false;

const app = acp
    .client({ name: "bench" })
    .onNotification(acp.methods.client.session.update, ({ params: { update } }) => {
        if (update.sessionUpdate === "agent_message_chunk") {
            turn?.piece(update.content.text, stamped);
        }
    });

async function play(turns, first) {
    const agent = spawn(plan.agent, ["acp"], { cwd: plan.folder, stdio: ["pipe", "pipe", "ignore"] });
    const stream = acp.ndJsonStream(Writable.toWeb(agent.stdin), Readable.toWeb(agent.stdout));
    await app.connectWith(stream, async (agent) => {
        await agent.request(acp.methods.agent.initialize, { protocolVersion: 1, clientCapabilities: {} });
        const opened = { cwd: plan.folder, mcpServers: [] };
        const { sessionId } = await agent.request(acp.methods.agent.session.new, opened);
        const prompt = (text) =>
            agent.request(acp.methods.agent.session.prompt, { sessionId, prompt: [{ type: "text", text }] });
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
    });
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
