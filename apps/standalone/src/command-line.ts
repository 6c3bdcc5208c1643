import { readFileSync } from 'node:fs';
import { reportFailure } from '@posthaste/service';
import { type Command, CommanderError } from 'commander';

/** `EX_USAGE` of sysexits.h: the arguments are wrong. */
const usageExitCode = 64;

/**
 * Runs the command that the arguments name. A failure is one line for people on standard error, with
 * its code and without a stack trace. Exit codes: 64 for wrong arguments, 78 for a wrong
 * configuration, 70 for a defect (with a stack trace), 1 for any other failure.
 */
export async function runCommandLine(program: Command): Promise<void> {
  // `posthaste callbacks list | head -1` closes the pipe early, which is not a failure.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit(0);
  });
  program.version(readVersion());
  for (const command of withSubcommands(program)) {
    command.exitOverride().showHelpAfterError('(use --help for usage)');
  }
  try {
    await program.parseAsync();
  } catch (error) {
    process.exitCode = report(error);
  }
}

function readVersion(): string {
  const manifest = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}

function withSubcommands(command: Command): Command[] {
  return [command, ...command.commands.flatMap(withSubcommands)];
}

/** Reports an error and returns the exit code. */
function report(error: unknown): number {
  // commander has already printed its message.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : usageExitCode;
  return reportFailure(error);
}
