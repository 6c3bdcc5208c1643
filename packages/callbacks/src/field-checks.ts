import type { FieldFault } from './field-faults.js';

/** Rules of an installation for requests. */
export interface RequestRules {
  /** Time-out of an attempt when the caller gives none, in ms. */
  readonly defaultTimeoutMs: number;
  /** Longest time-out that a caller may give, in ms; shorter than the lease. */
  readonly maxTimeoutMs: number;
  /** Most attempts that a retry policy may ask for. Default 10,000. */
  readonly maxAttempts?: number | undefined;
  /**
   * Returns the reason why a URL may not be called, or `undefined`. Checks addresses that are
   * written out; resolves no names.
   */
  readonly urlFault: (url: URL) => string | undefined;
}

const maxUrlLength = 4_096;
const maxHostLength = 253;
const maxNameLength = 256;
/** Ten years, in ms. */
const maxHorizonMs = 10 * 365 * 24 * 3_600_000;
// biome-ignore lint/suspicious/noControlCharactersInRegex: it looks for control characters
const controlCharacters = /[\u0000-\u001f\u007f]/;
/**
 * Excludes addresses that no mail server accepts. Only a mail can show whether an address exists.
 */
const emailPattern = /^[^\s@<>,;:"()[\]\\]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/;

/** Checks the name of an application, a queue or a secret. */
export function checkName(field: string, name: string | undefined, faults: FieldFault[]): void {
  if (name === undefined) return;
  if (name.length > maxNameLength) {
    faults.push({ field, message: `is longer than ${maxNameLength} characters` });
  } else if (controlCharacters.test(name)) {
    faults.push({ field, message: 'contains control characters' });
  } else if (!name.isWellFormed()) {
    // The database cannot store such text: two names would become one.
    faults.push({ field, message: 'contains half of a surrogate pair' });
  }
}

/** True if something can have this name. No other is looked up in the database. */
export function isName(text: string): boolean {
  return text.length <= maxNameLength && !controlCharacters.test(text) && text.isWellFormed();
}

/** Checks the time-out of an attempt. */
export function checkTimeout(timeoutMs: number, rules: RequestRules, faults: FieldFault[]): void {
  if (Number.isInteger(timeoutMs) && timeoutMs >= 1 && timeoutMs <= rules.maxTimeoutMs) return;
  faults.push({ field: 'timeoutMs', message: `must be 1 to ${rules.maxTimeoutMs}` });
}

/** Checks a mail address; an absent or empty one is valid too. */
export function checkEmail(address: string | undefined, faults: FieldFault[]): void {
  if (!address || (emailPattern.test(address) && !controlCharacters.test(address))) return;
  faults.push({ field: 'notificationEmail', message: 'is not a mail address' });
}

/** Checks a time that a caller gave: not before 1970, nor more than ten years away. */
export function checkMoment(field: string, moment: Date | undefined, faults: FieldFault[]): void {
  if (moment === undefined) return;
  const ms = moment.getTime();
  if (!(ms >= 0 && ms <= Date.now() + maxHorizonMs)) {
    faults.push({ field, message: 'is not a time within the next ten years' });
  }
}

/**
 * Parses the URL of a request; `undefined` when it may not be called, with the reason added to
 * `faults`.
 */
export function parseUrl(text: string, rules: RequestRules, faults: FieldFault[]): URL | undefined {
  const fault = (message: string): undefined => {
    faults.push({ field: 'url', message });
    return undefined;
  };
  if (text === '') return fault('is missing');
  if (text.length > maxUrlLength) return fault(`is longer than ${maxUrlLength} characters`);
  if (controlCharacters.test(text)) return fault('contains control characters');
  if (!text.isWellFormed()) return fault('contains half of a surrogate pair');
  const url = URL.parse(text);
  if (!url) return fault('is not an absolute URL');
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    return fault('is neither http nor https');
  // No name in the DNS is longer. The host is part of an index, whose entries have a limited size.
  if (url.hostname.length > maxHostLength) {
    return fault(`has a host of more than ${maxHostLength} characters`);
  }
  const denied = rules.urlFault(url);
  return denied === undefined ? url : fault(`is refused: ${denied}`);
}
