// What the hosts in JavaScript share: their arguments, and the line of JSON that each prints. See bench/src/host.rs.

import { readFileSync } from "node:fs";

export function plan() {
    const [how, provider, agent, folder, sessions, turns, prompt] = process.argv.slice(2);
    const stamped = prompt.includes("stamped");
    return { warm: how === "warm", provider, agent, folder, sessions: +sessions, turns: +turns, prompt, stamped };
}

export function memory(name) {
    const line = readFileSync("/proc/self/status", "ascii").split("\n").find((line) => line.startsWith(name));
    return Number(line.split(/\s+/)[1]);
}

function at(values, percent) {
    const sorted = Float64Array.from(values).sort();
    return sorted.length === 0 ? 0 : sorted[Math.floor(((sorted.length - 1) * percent) / 100)];
}

export class Tally {
    events = 0;
    bytes = 0;
    first = [];
    end = [];
    latency = [];
    cpu = process.cpuUsage();
    wall = performance.now();

    turnBegins() {
        const start = performance.now();
        let shown = false;
        return {
            piece: (text, stamped) => {
                if (!shown) {
                    shown = true;
                    this.first.push((performance.now() - start) * 1e3);
                }
                this.events += 1;
                this.bytes += text.length;
                if (stamped) {
                    const now = process.hrtime.bigint();
                    for (const at of text.split(" ")) {
                        if (at !== "") {
                            this.latency.push(Number(now - BigInt(at)) / 1e3);
                        }
                    }
                }
            },
            ends: () => this.end.push((performance.now() - start) * 1e3),
        };
    }

    print(idle = 0) {
        const { user, system } = process.cpuUsage(this.cpu);
        const told = {
            cpu_us: user + system,
            wall_us: (performance.now() - this.wall) * 1e3,
            events: this.events,
            bytes: this.bytes,
            peak_kb: memory("VmHWM:"),
            idle_kb: idle,
            first_us: at(this.first, 50),
            end_us: at(this.end, 50),
            p50_us: at(this.latency, 50),
            p99_us: at(this.latency, 99),
            max_us: at(this.latency, 100),
        };
        process.stdout.write(JSON.stringify(told) + "\n");
    }
}
