// @openai/codex-sdk, as its documentation shows it. It has one process per turn, always, and shows no pieces of text.

import { Codex } from "@openai/codex-sdk";
import { plan as read, Tally } from "./tally.mjs";

const plan = read();
const codex = new Codex({ codexPathOverride: plan.agent });
const thread = () => codex.startThread({ workingDirectory: plan.folder, skipGitRepoCheck: true });
const tally = new Tally();
for (let n = 0; n < plan.turns; n += 1) {
    const turn = tally.turnBegins();
    const { events } = await thread().runStreamed(plan.prompt);
    for await (const event of events) {
        if (event.type === "item.completed" && event.item.type === "agent_message") {
            turn.piece(event.item.text, false);
        } else if (event.type === "turn.completed") {
            turn.ends();
        }
    }
}
tally.print();
