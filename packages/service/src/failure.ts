import { PlatformError } from '@posthaste/contracts';

/** What a process exits with, after sysexits.h. */
export const exitCodes = {
  /** Something outside it is not as it must be: a port that is taken, a database that is away. */
  unavailable: 1,
  /** A defect. */
  software: 70,
  /** The configuration is wrong. */
  config: 78,
} as const;

/**
 * Tells on standard error what ends a process. A `PlatformError` is expected where a process meets
 * the world: a line for people with its code, or the faults of a configuration, one a line. Anything
 * else is a defect, and has its stack trace.
 * @returns the exit code
 */
export function reportFailure(error: unknown): number {
  if (!(error instanceof PlatformError)) {
    process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
    return exitCodes.software;
  }
  const isConfig = error.code === 'CONFIG_INVALID';
  process.stderr.write(isConfig ? `${error.message}\n` : `${error.message} (${error.code})\n`);
  return isConfig ? exitCodes.config : exitCodes.unavailable;
}
