import { randomUUID } from 'node:crypto';

const compactUuid4 = /^[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}$/;

/** For `details.reason` of an id that is none. */
export const compactUuid4Rule = 'must be a UUID v4 without hyphens, in lower case';

/** A new UUID v4 without hyphens, in lower case: what Go services take for an id. */
export function newEventId(): string {
  return randomUUID().replaceAll('-', '');
}

/** Whether it is a UUID v4 without hyphens, in lower case. */
export function isCompactUuid4(value: unknown): value is string {
  return typeof value === 'string' && compactUuid4.test(value);
}
