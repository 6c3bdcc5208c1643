/*
 * This file imports nothing and uses no new syntax: it runs on versions of Node that cannot load the
 * rest of a program. Programs import it statically, and everything else after it.
 */

/** `EX_UNAVAILABLE` of sysexits.h: something that the program needs is missing. */
const unavailableExitCode = 69;

/**
 * Ends the process with one line on standard error, and exit code 69, if this Node is older.
 * @param minimum oldest major version that the program runs on
 */
export function requireNode(minimum: number): void {
  const { version, versions } = process;
  if (Number(versions.node.split('.')[0]) >= minimum) return;
  process.stderr.write(
    `Posthaste needs Node ${minimum} or newer, and this is ${version} (${process.execPath}).\n`,
  );
  process.exit(unavailableExitCode);
}
