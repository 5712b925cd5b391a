// @anthropic-ai/claude-agent-sdk, as its documentation shows it: a stream of messages for many turns, a text for one.

import { query } from "@anthropic-ai/claude-agent-sdk";
import { plan as read, Tally } from "./tally.mjs";

const plan = read();
const options = {
    pathToClaudeCodeExecutable: plan.agent,
    cwd: plan.folder,
    includePartialMessages: true,
};

// One turn of what the agent says.
async function turn(messages, tally, stamped, ask) {
    const turn = tally.turnBegins();
    ask?.();
    for (;;) {
        const { value, done } = await messages.next();
        if (done) {
            return;
        }
        if (value.type === "stream_event") {
            const text = value.event.delta?.text;
            if (text !== undefined) {
                turn.piece(text, stamped);
            }
        } else if (value.type === "result") {
            turn.ends();
            return;
        }
    }
}

if (plan.warm) {
    let tell;
    const asked = async function* () {
        for (;;) {
            const text = await new Promise((resolve) => {
                tell = resolve;
            });
            if (text === null) {
                return;
            }
            yield { type: "user", message: { role: "user", content: text }, parent_tool_use_id: null, session_id: "" };
        }
    };
    const messages = query({ prompt: asked(), options })[Symbol.asyncIterator]();
    // The stream waits for its first message before it can be told one.
    const ask = (text) => {
        const poll = () => (tell === undefined ? setImmediate(poll) : (tell(text), (tell = undefined)));
        poll();
    };
    await turn(messages, new Tally(), false, () => ask("hello"));
    const tally = new Tally();
    for (let n = 0; n < plan.turns; n += 1) {
        await turn(messages, tally, plan.stamped, () => ask(plan.prompt));
    }
    tally.print();
    process.exit(0);
}
const tally = new Tally();
for (let n = 0; n < plan.turns; n += 1) {
    const messages = query({ prompt: plan.prompt, options })[Symbol.asyncIterator]();
    await turn(messages, tally, plan.stamped);
    // To its end.
    while (!(await messages.next()).done);
}
tally.print();
