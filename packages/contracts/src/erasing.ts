/** Types that the parts of the platform share to erase payloads, and to remove an application. */

import type { Applications } from './applications.js';
import { compareNumbers, isJsonNumeric, type JsonNumeric } from './compare-numbers.js';
import { parseJsonWithDigits } from './exact-json.js';

/** Identifier of a person: a value at a JSON Pointer (RFC 6901). */
export interface PersonIdentifier {
  /** At least one token: `/customer/email`. */
  readonly pointer: string;
  readonly value: string | number;
}

/** Payloads to erase: those that have all that is given. */
export interface ErasureSelection {
  /** Applications that the payloads belong to. */
  readonly applications: Applications;
  readonly endpointId?: string | undefined;
  /** Key by which events are ordered, or name of a queue. */
  readonly key?: string | undefined;
  readonly identifier?: PersonIdentifier | undefined;
  /** Treatment of callbacks that match and are not delivered yet. */
  readonly undelivered: 'cancel' | 'keep';
}

/** Bounds of one step of erasing. */
export interface ErasingStep {
  /** `position` of the step before; `undefined` for the first. */
  readonly position: string | undefined;
  /** Most rows that the step reads. */
  readonly limit: number;
}

/** Result of one step of erasing. */
export interface ErasingProgress {
  /** Start of the next step. */
  readonly position: string | undefined;
  /** True if no step follows. */
  readonly done: boolean;
  /** Rows that were looked at. */
  readonly scanned: number;
  /** Callbacks, records or settings that were erased. */
  readonly erased: number;
  /** Callbacks that match and were left, because they are not delivered yet. */
  readonly kept?: number;
  /** Time to wait before the next step, in ms, for attempts that are under way. */
  readonly waitMs?: number;
}

const pointerPattern = /^(?:\/(?:[^~/]|~[01])*)+$/u;
const indexPattern = /^(?:0|[1-9]\d*)$/;
/** Deepest arrays in arrays that are searched. */
const maxArrayDepth = 32;
/** Members in which an event has its data: an envelope, and a CloudEvent in JSON. */
const dataMembers = ['payload', 'data'] as const;
/** Text that JSON writes as it is, whoever writes it, unless with an escape. */
const plainText = /^[\w.@+-]+$/;

/** True if the text is a JSON Pointer of one token or more. */
export function isJsonPointer(text: string): boolean {
  return pointerPattern.test(text);
}

/**
 * Returns the test of JSON text for a person's identifier. The pointer is followed from the root, and
 * from the members `payload` and `data` of the root, in which events have theirs. A token that is no
 * index is looked up in every element of an array, and a value in a list at the end counts. Text is
 * compared in Unicode's form NFC, numbers by their digits, and the text `"7"` equals the number 7: it
 * is better to erase one payload too many than to leave one.
 */
export function createIdentifierTest({
  pointer,
  value,
}: PersonIdentifier): (json: Uint8Array) => boolean {
  const tokens = pointer
    .slice(1)
    .split('/')
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));
  const isWanted = createValueTest(value);
  const mayHave = createTextTest(value);
  return (json) => {
    const text = new TextDecoder().decode(json);
    if (!mayHave(text)) return false;
    const root = parse(text);
    const roots = [root, ...dataMembers.map((name) => memberOf(root, name))];
    return roots.some((each) => hasValue(each, { tokens, isWanted }));
  };
}

/** Spares the parsing of texts that cannot have the value: most of a history. */
function createTextTest(value: string | number): (text: string) => boolean {
  if (typeof value !== 'string' || !plainText.test(value)) return () => true;
  // Digits may be those of a number, which has many forms.
  if (Number.isFinite(Number(value))) return () => true;
  return (text) => text.includes(value) || text.includes('\\');
}

function createValueTest(wanted: string | number): (value: unknown) => boolean {
  const text = String(wanted).normalize('NFC');
  const number = typeof wanted === 'number' ? wanted : undefined;
  return (value) => {
    if (typeof value === 'string') return value.normalize('NFC') === text;
    if (!isJsonNumeric(value)) return false;
    return String(value) === text || (number !== undefined && isSame(value, number));
  };
}

function isSame(a: JsonNumeric, b: JsonNumeric): boolean {
  return compareNumbers(a, b) === 0;
}

interface Search {
  readonly tokens: readonly string[];
  readonly isWanted: (value: unknown) => boolean;
}

function hasValue(value: unknown, search: Search, at = 0): boolean {
  const { tokens, isWanted } = search;
  const token = tokens[at];
  if (Array.isArray(value)) {
    if (token !== undefined && indexPattern.test(token)) {
      return hasValue(value[Number(token)], search, at + 1);
    }
    const elements = value.flat(maxArrayDepth).filter((each) => !Array.isArray(each));
    return elements.some((each) => hasValue(each, search, at));
  }
  if (token === undefined) return isWanted(value);
  return hasValue(memberOf(value, token), search, at + 1);
}

function memberOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
  return (value as Readonly<Record<string, unknown>>)[name];
}

/** Returns nothing for text that is no JSON: no pointer finds anything in it. */
function parse(text: string): unknown {
  try {
    return parseJsonWithDigits(text);
  } catch {
    return undefined;
  }
}
