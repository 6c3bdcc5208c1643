import { toJsonInteger } from '@posthaste/contracts';

/** Prints a line to standard output. */
export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Prints a value as JSON, for programs and for people; bigints as bare numbers. */
export function printJson(value: unknown): void {
  const exact = (_key: string, member: unknown): unknown =>
    typeof member === 'bigint' ? toJsonInteger(member) : member;
  print(JSON.stringify(value, exact, 2));
}

/** Prints a line to standard error: what is said of the work, and not its result. */
export function tell(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Prints rows under a head, columns as wide as their widest entry; for people. */
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

/** The text with escapes for control characters: what others wrote must not command a terminal. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}
