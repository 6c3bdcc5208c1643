import { toJsonInteger } from '@posthaste/contracts';

/** Prints a line to standard output. */
export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Prints a value as indented JSON, with bigints as bare numbers. */
export function printJson(value: unknown): void {
  const exact = (_key: string, member: unknown): unknown =>
    typeof member === 'bigint' ? toJsonInteger(member) : member;
  print(JSON.stringify(value, exact, 2));
}

/** Prints the result of a command: as JSON, or as a line for people. */
export function printResult(
  { json }: { readonly json?: boolean | undefined },
  value: unknown,
  line: string,
): void {
  if (json) printJson(value);
  else print(line);
}

/** Prints a line about the progress of the work to standard error; results go to standard output. */
export function printStatus(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Prints a table for people: rows under a head, columns as wide as their widest entry. */
export function printTable(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const lines = [head, ...rows.map((row) => row.map(printable))];
  const widths = head.map((_title, i) => Math.max(...lines.map((line) => line[i]?.length ?? 0)));
  for (const cells of lines) {
    print(
      cells
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    );
  }
}

/** Returns lines for people: each fact by its name. Facts that are null are left out. */
export function describeFacts(facts: readonly (readonly [string, string | null])[]): string {
  const known = facts.filter((fact): fact is [string, string] => fact[1] !== null);
  return known.map(([name, value]) => `${name.padEnd(12)}  ${printable(value)}`).join('\n');
}

/** Escapes control characters, so that text from others cannot send commands to the terminal. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}
