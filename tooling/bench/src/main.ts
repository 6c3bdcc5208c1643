/** Program `npm run bench -- <suite>`: measures, prints the tables, writes them as JSON. */

import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Command, helpText, parseCommand, UsageError } from './arguments.js';
import { openBench } from './bench.js';
import { describeMachine, readMachineFacts } from './machine.js';
import { isMet, renderSection, type Section, toJson } from './report.js';
import { suites } from './suites.js';

const usageError = 64;
const interrupted = 130;
/** Load average above which other programs are using the machine. */
const quietLoad = 0.5;

process.exitCode = await main();

async function main(): Promise<number> {
  try {
    const command = parseCommand(process.argv.slice(2), suites);
    if (command.kind === 'run') return await run(command);
    console.log(helpText(suites));
    return 0;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(error.message);
    return usageError;
  }
}

async function run({ suite, options, jsonFile }: Command & { kind: 'run' }): Promise<number> {
  const log = (line: string) => console.error(line);
  const bench = await openBench({ databaseUrl: process.env.DATABASE_URL, log });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void bench.close().finally(() => process.exit(interrupted)));
  }
  try {
    const machine = readMachineFacts();
    if (machine.loadBefore > quietLoad) {
      log(`warning: the machine is busy (load ${machine.loadBefore}); rates will be too low`);
    }
    const sections = await suite.run(bench, options);
    const stores = await bench.storeFacts();
    console.log(describeMachine(machine, stores));
    for (const section of sections) console.log(`\n${renderSection(section)}`);
    await mkdir(dirname(jsonFile), { recursive: true });
    const { quick } = options;
    const report = { suite: suite.name, quick, machine, stores, sections: sections.map(toJson) };
    await writeFile(jsonFile, `${JSON.stringify(report, null, 2)}\n`);
    log(`\nwritten to ${jsonFile}`);
    return sections.every(allBarsMet) ? 0 : 1;
  } finally {
    await bench.close();
  }
}

function allBarsMet({ bars }: Section): boolean {
  return bars.every(isMet);
}
