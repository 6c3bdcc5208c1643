/**
 * Program of a worker thread that runs `posthaste` commands one after another, as their own process
 * would: with arguments, an environment, standard input, output and exit code of their own. The
 * command is loaded once, which takes longer than most commands.
 */
import { Readable } from 'node:stream';
import { parentPort } from 'node:worker_threads';
import { runCommandLine } from '../dist/command-line.js';
import { createProgram } from '../dist/program.js';
import type { CommandCall, CommandResult } from './posthaste.js';

const port = parentPort;
if (port === null) throw new Error('command-host must run in a worker thread');

let running = Promise.resolve();
port.on('message', (call: CommandCall) => {
  running = running.then(async () => port.postMessage(await run(call)));
});

async function run({ args, env, input }: CommandCall): Promise<CommandResult> {
  process.argv = [process.argv[0] ?? '', 'posthaste', ...args];
  process.env = { PATH: process.env.PATH, ...env };
  process.exitCode = 0;
  Object.defineProperty(process, 'stdin', { value: Readable.from([input]), configurable: true });
  const stdout = capture(process.stdout);
  const stderr = capture(process.stderr);
  try {
    await runCommandLine(createProgram());
    return { code: Number(process.exitCode), stdout: stdout.text(), stderr: stderr.text() };
  } finally {
    stdout.end();
    stderr.end();
    // Of the command that has ended; in a process of its own they end with it.
    for (const signal of ['SIGINT', 'SIGTERM']) process.removeAllListeners(signal);
    process.stdout.removeAllListeners('error');
  }
}

/** Collects what is written to a stream instead of writing it. */
function capture(stream: NodeJS.WriteStream): { text(): string; end(): void } {
  const { write } = stream;
  let text = '';
  stream.write = (chunk: string | Uint8Array): boolean => {
    text += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString();
    return true;
  };
  return {
    text: () => text,
    end: () => {
      stream.write = write;
    },
  };
}
