import { isDeepStrictEqual } from 'node:util';
import type { TargetState } from './change.js';

/** Most members that are named. */
const maxPointers = 100;

/**
 * Returns the JSON Pointers of the members in which the states differ: members of objects up to two
 * levels deep, such as `/headers/x-tenant`. A state that is missing has no members.
 */
export function changedPointers(
  before: TargetState = {},
  after: TargetState = {},
): readonly string[] {
  const pointers: string[] = [];
  for (const name of namesOf(before, after)) {
    const [old, now] = [before[name], after[name]];
    if (isDeepStrictEqual(old, now)) continue;
    const path = `/${escapeName(name)}`;
    if (!isObject(old) || !isObject(now)) pointers.push(path);
    else {
      for (const inner of namesOf(old, now)) {
        if (!isDeepStrictEqual(old[inner], now[inner])) {
          pointers.push(`${path}/${escapeName(inner)}`);
        }
      }
    }
  }
  return pointers.slice(0, maxPointers);
}

function namesOf(a: TargetState, b: TargetState): Set<string> {
  return new Set([...Object.keys(a), ...Object.keys(b)]);
}

function isObject(value: unknown): value is TargetState {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function escapeName(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}
