import { InvalidArgumentError } from 'commander';

const unitMs: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** A reader of option values for commander: a time, or how long ago it was; gives RFC 3339. */
export function moment(text: string): string {
  const [, amount, unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const ms =
    amount === undefined ? parseTime(text) : Date.now() - Number(amount) * (unitMs[unit] ?? 0);
  if (ms > 0) return new Date(ms).toISOString();
  throw new InvalidArgumentError(
    'It must be a time such as 2030-01-31T12:00:00Z, or 10m ago as 10m.',
  );
}

/** Only what begins with a date: `Date.parse` makes something of nearly every text. */
function parseTime(text: string): number {
  return /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
}
