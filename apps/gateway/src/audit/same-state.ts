import { isDeepStrictEqual } from 'node:util';

/** Members that differ after every call, whatever it changed. */
const everChanging: ReadonlySet<string> = new Set(['updatedAt']);

/** True if nothing changed between two states but when something was last written. */
export function isSameState(before: object | undefined, after: object | undefined): boolean {
  if (before === undefined || after === undefined) return before === after;
  return isDeepStrictEqual(withoutTimes(before), withoutTimes(after));
}

function withoutTimes(state: object): object {
  return Object.fromEntries(Object.entries(state).filter(([name]) => !everChanging.has(name)));
}
