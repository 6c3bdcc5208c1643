import type { Applications } from '@posthaste/contracts';
import { PlatformError } from '@posthaste/contracts';
import { type Grant, isRole, type Role, roles } from '../roles.js';

/** Most values of a claim that are read. */
const maxValues = 10_000;

/** Role that people with one value of the roles claim get. */
export interface RoleRule {
  /** Value of the claim, such as the name of a group. */
  readonly value: string;
  readonly role: Role;
  /** Application of the role; `undefined` is all. */
  readonly application: string | undefined;
}

/**
 * Parses a rule `<value>=<role>` or `<value>=<role>:<application>`. A comma, an equals sign or a
 * percent sign in it may be written as `%2C`, `%3D` and `%25`.
 * @throws PlatformError `OPTION_INVALID`
 */
export function parseRoleRule(text: string): RoleRule {
  const [, value, role = '', application] = /^(.+)=([a-z]+)(?::(.*))?$/s.exec(text) ?? [];
  if (value === undefined) {
    throw invalid(`'${text}' is not of the form <value>=<role> or <value>=<role>:<application>`);
  }
  if (!isRole(role)) throw invalid(`'${role}' in '${text}' is none of ${roles.join(', ')}`);
  return {
    value: decode(value, text),
    role,
    application: application === undefined ? undefined : decode(application, text),
  };
}

/** Returns the roles of somebody whose claim has these values. */
export function grantsOf(values: readonly string[], rules: readonly RoleRule[]): Grant[] {
  const held = new Set(values);
  const byRole = new Map<Role, Applications>();
  for (const { value, role, application } of rules) {
    if (!held.has(value)) continue;
    const others = byRole.get(role) ?? [];
    const isAll = application === undefined || others === 'all';
    byRole.set(role, isAll ? 'all' : [...new Set([...others, application])]);
  }
  return [...byRole].map(([role, applications]) => ({ role, applications }));
}

/**
 * Returns the values of a claim: a list of texts, or one text. `path` is the name of the claim, or,
 * if there is no such claim, names of nested objects with dots between them, as in
 * `realm_access.roles`. Returns `undefined` if the claim is missing.
 */
export function readClaim(
  claims: Readonly<Record<string, unknown>>,
  path: string,
): string[] | undefined {
  const value = ownValue(claims, path) ?? path.split('.').reduce<unknown>(ownValue, claims);
  if (typeof value === 'string') return [value];
  if (!Array.isArray(value)) return undefined;
  return value.slice(0, maxValues).filter((item) => typeof item === 'string');
}

function ownValue(object: unknown, name: string): unknown {
  const isObject = typeof object === 'object' && object !== null && Object.hasOwn(object, name);
  return isObject ? (object as Record<string, unknown>)[name] : undefined;
}

function decode(part: string, rule: string): string {
  try {
    return decodeURIComponent(part);
  } catch (cause) {
    throw new PlatformError('OPTION_INVALID', `'${rule}' has a % that is no %XX; write %25`, {
      cause,
    });
  }
}

function invalid(message: string): PlatformError {
  return new PlatformError('OPTION_INVALID', message);
}
