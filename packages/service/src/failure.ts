import { PlatformError } from '@posthaste/contracts';

/** Exit codes of a process that failed, after sysexits.h. */
export const exitCodes = {
  /** A condition outside the process: a port in use, a database that cannot be reached. */
  unavailable: 1,
  /** A defect. */
  software: 70,
  /** The configuration is wrong. */
  config: 78,
} as const;

/**
 * Writes the error that ends a process to standard error. A `PlatformError` is an expected failure
 * and becomes one line with its message and code, or one line for each fault of a configuration.
 * Any other error is a defect and is written with its stack trace.
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
