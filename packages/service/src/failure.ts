import { PlatformError } from '@posthaste/contracts';

/** Exit codes of a process that failed, after sysexits.h. */
export const exitCodes = {
  /** Something outside the process is not as it must be: a port in use, a database that is away. */
  unavailable: 1,
  /** A defect. */
  software: 70,
  /** The configuration is wrong. */
  config: 78,
} as const;

/**
 * Writes the error that ends a process to standard error. A `PlatformError` is an expected failure
 * and becomes one line for people with its code, or one line for each fault of a configuration. Any
 * other error is a defect and is written with its stack trace.
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
