import { readFileSync } from 'node:fs';
import { reportFailure } from '@posthaste/service';
import { type Command, CommanderError } from 'commander';

/** `EX_USAGE` of sysexits.h: the command was typed wrong. */
const usageExitCode = 64;

/**
 * Runs the command that was typed. What goes wrong is one line for people on standard error, with
 * its code and without a stack trace, and an exit code: 64 for a wrong command, 78 for a wrong
 * configuration, 70 for a defect, 1 for anything else.
 */
export async function runCommandLine(program: Command): Promise<void> {
  // `posthaste callbacks list | head -1` closes the pipe, and is content.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit(0);
  });
  program.version(readVersion());
  for (const command of withSubcommands(program)) {
    command.exitOverride().showHelpAfterError('(--help tells more)');
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

/** @returns the exit code */
function report(error: unknown): number {
  // commander has told already.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : usageExitCode;
  return reportFailure(error);
}
