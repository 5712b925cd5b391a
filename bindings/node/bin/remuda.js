#!/usr/bin/env node
'use strict';

const { Pool } = require('../index.js');
const { examine, table } = require('../lib/doctor.js');

/** How long an agent may take to say its version. */
const TIMEOUT_MS = 5_000;
const USAGE = `usage: remuda doctor [--json]

  doctor   which agents are installed here, at which version, whether somebody is
           logged in, and what ends their processes when the host dies
  --json   the same as JSON, with the names of docs/schema/doctor.json`;

async function main([command, ...rest]) {
  const asks = command === 'doctor' && rest.every((word) => word === '--json');
  if (!asks) {
    const help = command === undefined || command === 'help' || command === '--help';
    (help ? console.log : console.error)(USAGE);
    process.exitCode = help ? 0 : 2;
    return;
  }
  const pool = new Pool({ maxWarm: 1 });
  const doctor = await examine(pool, TIMEOUT_MS);
  console.log(rest.includes('--json') ? JSON.stringify(doctor, null, 2) : table(doctor).join('\n'));
  await pool.shutdown();
}

main(process.argv.slice(2)).catch((error) => {
  console.error(`remuda: ${error.message}`);
  process.exitCode = 1;
});
