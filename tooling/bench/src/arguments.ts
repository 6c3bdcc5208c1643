import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { Suite, SuiteOptions } from './suite.js';

/** A parsed command line. */
export type Command =
  | { readonly kind: 'help' }
  | {
      readonly kind: 'run';
      readonly suite: Suite;
      readonly options: SuiteOptions;
      /** File that the report is written to as JSON. */
      readonly jsonFile: string;
    };

const resultsFolder = resolve(import.meta.dirname, '../results');

/** Error of an invalid command line; the message says what is wrong. */
export class UsageError extends Error {}

/**
 * Parses a command line.
 * @throws UsageError
 */
export function parseCommand(args: readonly string[], suites: readonly Suite[]): Command {
  const { values, positionals } = readOptions(args);
  const [name, ...rest] = positionals;
  if (values.help || name === undefined) return { kind: 'help' };
  if (rest.length > 0)
    throw new UsageError(`only one suite can run at a time; remove ${rest.join(' ')}`);
  const suite = suites.find((each) => each.name === name);
  if (!suite)
    throw new UsageError(`there is no suite "${name}"; choose one of ${listNames(suites)}`);
  const only = splitNames(values.only, Object.keys(suite.sections), 'row');
  const chosenPeers =
    values.peers === undefined ? undefined : splitNames(values.peers, suite.peers, 'peer');
  const jsonFile = resolve(values.json ?? `${resultsFolder}/${suite.name}.json`);
  const options = { quick: values.quick, only, peers: chosenPeers };
  return { kind: 'run', suite, options, jsonFile };
}

function readOptions(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        help: { type: 'boolean', short: 'h', default: false },
        quick: { type: 'boolean', default: false },
        only: { type: 'string', default: '' },
        peers: { type: 'string' },
        json: { type: 'string' },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

/** Returns the help, with every suite and its rows. */
export function helpText(suites: readonly Suite[]): string {
  const lines = suites.flatMap((suite) => [
    `  ${suite.name}: ${suite.description}`,
    ...Object.entries(suite.sections).map(([id, what]) => `    ${id.padEnd(16)} ${what}`),
  ]);
  return `usage: npm run bench -- <suite> [options]

Suites and their rows:
${lines.join('\n')}

Options:
  --quick             small counts, one round: a check that everything works, not a comparison
  --only <row,row>    measure only these rows
  --peers <name,…>    compare only with these peers; "" compares with none
  --json <file>       file for the report (default: tooling/bench/results/<suite>.json)

Postgres: a new server, or DATABASE_URL, which must be on this machine.
Kafka: a new broker, in Docker or on Java.
The exit code is 1 if a bar is missed. Needs Linux.`;
}

function splitNames(text: string, known: readonly string[], what: string): string[] {
  const names = text.split(',').filter((name) => name !== '');
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    throw new UsageError(
      `there is no ${what} ${unknown.join(', ')}; choose from ${known.join(', ')}`,
    );
  }
  return names;
}

function listNames(suites: readonly Suite[]): string {
  return suites.map(({ name }) => name).join(', ');
}
