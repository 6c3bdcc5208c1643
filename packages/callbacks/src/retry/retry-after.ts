import { parseHttpDate } from './http-date.js';

/** Digits of any number: the caller limits how long it waits. */
const seconds = /^\d+$/;

/**
 * Parses a Retry-After value to milliseconds from now; `undefined` when it is neither seconds nor
 * an HTTP date. A date is taken relative to the answer's own Date, so that the receiver's clock may
 * be wrong; without one, relative to `nowMs`.
 */
export function parseRetryAfter(
  value: string | undefined,
  answerDate: string | undefined,
  nowMs: number,
): number | undefined {
  if (value === undefined) return undefined;
  const text = value.trim();
  if (seconds.test(text)) return Number(text) * 1_000;
  const untilMs = parseHttpDate(text, nowMs);
  if (untilMs === undefined) return undefined;
  const sentMs = answerDate === undefined ? undefined : parseHttpDate(answerDate.trim(), nowMs);
  return Math.max(0, untilMs - (sentMs ?? nowMs));
}
