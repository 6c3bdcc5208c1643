import type { FieldFault } from './field-faults.js';

/** What an installation allows. */
export interface RequestRules {
  /** Time of one attempt when the caller gives none. */
  readonly defaultTimeoutMs: number;
  /** The longest time a caller may give: shorter than the lease. */
  readonly maxTimeoutMs: number;
  /** Why this URL may not be called, or `undefined`; judges literal addresses, resolves nothing. */
  readonly urlFault: (url: URL) => string | undefined;
}

const maxUrlLength = 4_096;
const maxHostLength = 253;
const maxNameLength = 256;
const maxHorizonMs = 10 * 365 * 24 * 3_600_000;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const controlCharacters = /[\u0000-\u001f\u007f]/;
/** Enough to refuse what no mail server takes; whether it exists only a mail can tell. */
const emailPattern = /^[^\s@<>,;:"()[\]\\]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/;

/** Checks the name of an application, a queue or a secret. */
export function checkName(field: string, name: string | undefined, faults: FieldFault[]): void {
  if (name === undefined) return;
  if (name.length > maxNameLength) {
    faults.push({ field, message: `is longer than ${maxNameLength} characters` });
  } else if (controlCharacters.test(name)) {
    faults.push({ field, message: 'has control characters' });
  } else if (!name.isWellFormed()) {
    // The database has no such text: two names would become one.
    faults.push({ field, message: 'has half a surrogate pair' });
  }
}

/** Whether something can have this name: what cannot is looked for in vain, and not in the database. */
export function isName(text: string): boolean {
  return text.length <= maxNameLength && !controlCharacters.test(text) && text.isWellFormed();
}

/** Checks the time of one attempt. */
export function checkTimeout(timeoutMs: number, rules: RequestRules, faults: FieldFault[]): void {
  if (Number.isInteger(timeoutMs) && timeoutMs >= 1 && timeoutMs <= rules.maxTimeoutMs) return;
  faults.push({ field: 'timeoutMs', message: `must be 1 to ${rules.maxTimeoutMs}` });
}

/** Checks a mail address; none, or an empty one, is right too. */
export function checkEmail(address: string | undefined, faults: FieldFault[]): void {
  if (!address || (emailPattern.test(address) && !controlCharacters.test(address))) return;
  faults.push({ field: 'notificationEmail', message: 'is not a mail address' });
}

/** Checks a time that a caller gave: now or later, and not absurdly far away. */
export function checkMoment(field: string, moment: Date | undefined, faults: FieldFault[]): void {
  if (moment === undefined) return;
  const ms = moment.getTime();
  if (!(ms >= 0 && ms <= Date.now() + maxHorizonMs)) {
    faults.push({ field, message: 'is not a time within the next ten years' });
  }
}

/** The URL of a request; `undefined` when it may not be called, with the reason added to `faults`. */
export function parseUrl(text: string, rules: RequestRules, faults: FieldFault[]): URL | undefined {
  const fault = (message: string): undefined => {
    faults.push({ field: 'url', message });
    return undefined;
  };
  if (text === '') return fault('is missing');
  if (text.length > maxUrlLength) return fault(`is longer than ${maxUrlLength} characters`);
  if (controlCharacters.test(text)) return fault('has control characters');
  if (!text.isWellFormed()) return fault('has half a surrogate pair');
  const url = URL.parse(text);
  if (!url) return fault('is not an absolute URL');
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    return fault('is neither http nor https');
  // No name of the DNS is longer. The host is part of an index, whose entries are limited.
  if (url.hostname.length > maxHostLength) {
    return fault(`has a host of more than ${maxHostLength} characters`);
  }
  const denied = rules.urlFault(url);
  return denied === undefined ? url : fault(`is refused: ${denied}`);
}
