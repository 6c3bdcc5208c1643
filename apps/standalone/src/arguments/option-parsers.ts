import { InvalidArgumentError } from 'commander';

const unitMs: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** Parses a time, or a duration before now such as `10m`, for commander; returns RFC 3339. */
export function parseMoment(text: string): string {
  const [, amount, unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const ms =
    amount === undefined ? parseTime(text) : Date.now() - Number(amount) * (unitMs[unit] ?? 0);
  if (ms > 0) return new Date(ms).toISOString();
  throw new InvalidArgumentError(
    'It must be a time such as 2030-01-31T12:00:00Z, or a duration before now such as 10m.',
  );
}

/** Creates a parser of whole numbers from `min` to `max` for commander. */
export function wholeNumberParser(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d{1,15}$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
  };
}

/** Adds a header, written as "name: value", to those given before, for commander. */
export function addHeader(
  text: string,
  headers: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  const colon = text.indexOf(':');
  if (colon < 1) throw new InvalidArgumentError('Write it as "name: value".');
  return { ...headers, [text.slice(0, colon).trim()]: text.slice(colon + 1).trim() };
}

/** Accepts only text that begins with a date: `Date.parse` makes a time of nearly every text. */
function parseTime(text: string): number {
  return /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
}
