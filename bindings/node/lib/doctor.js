'use strict';
// What the doctor finds, and the same as a table for people.

const { CORE } = require('./keys.js');

const WIDTHS = { agent: 12, version: 12, login: 12, mode: 9 };
const WORDS = { logged_in: 'logged in', logged_out: 'logged out', unknown: 'unknown', warm: 'warm', one_shot: 'one-shot' };

function row(agent, version, login, mode, rest) {
  const cells = [agent.padEnd(WIDTHS.agent), version.padEnd(WIDTHS.version), login.padEnd(WIDTHS.login), mode.padEnd(WIDTHS.mode), rest];
  return cells.join(' ').trimEnd();
}

/** The lines of the table. */
function table(doctor) {
  const lines = [`remuda ${doctor.version}, containment: ${doctor.containment}`];
  if (doctor.containment_problem) lines.push(`  ${doctor.containment_problem}`);
  lines.push('', row('agent', 'version', 'login', 'mode', 'program'));
  for (const agent of doctor.agents) {
    const { provider, version, login, mode, program, problem } = agent;
    const found = program !== null && program !== undefined;
    const place = found ? program : 'not installed';
    lines.push(row(provider, version ?? '-', found ? WORDS[login] ?? login : '-', found ? WORDS[mode] ?? mode : '-', place));
    if (found && problem) lines.push(`  ${problem}`);
  }
  return lines;
}

/** Looks, and says it with the names of `docs/schema/doctor.json`. */
function examine(pool, timeoutMs, signal) {
  const core = pool[CORE];
  return core.call((id) => core.native.doctor(id, timeoutMs), { signal });
}

module.exports = { examine, table };
