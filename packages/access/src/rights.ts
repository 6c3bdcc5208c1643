import { type Applications, coversApplications } from '@posthaste/contracts';
import { grants, type Scope } from './scopes.js';

/** Scopes that hold in some applications. */
export interface Rights {
  readonly applications: Applications;
  readonly scopes: readonly Scope[];
}

/**
 * Returns what somebody with these rights may do where `scope` is needed: the applications in which
 * they have it, and the scopes that they have in each of these applications. Without an argument,
 * all their applications. No scopes if they have it nowhere.
 */
export function narrowRights(held: readonly Rights[], scope?: Scope): Rights {
  const fitting =
    scope === undefined ? held : held.filter((rights) => grants(rights.scopes, scope));
  const [first, ...others] = fitting;
  if (first === undefined) return { applications: [], scopes: [] };
  // Nearly everybody has the same scopes in all applications.
  return others.reduce<Rights>(
    (sum, rights) => ({
      applications: joinApplications(sum.applications, rights.applications),
      scopes: commonScopes(sum.scopes, rights.scopes),
    }),
    first,
  );
}

/** Returns the part of `held` that lies within `limit`. Rights without an application are dropped. */
export function limitRights(held: readonly Rights[], limit: Rights): Rights[] {
  return held
    .map((rights) => ({
      applications: commonApplications(rights.applications, limit.applications),
      scopes: commonScopes(rights.scopes, limit.scopes),
    }))
    .filter(({ applications, scopes }) => applications.length > 0 && scopes.length > 0);
}

/** Returns the first of `scopes` that these rights lack in one of the applications, if any. */
export function findMissingScope(
  held: readonly Rights[],
  { applications, scopes }: Rights,
): Scope | undefined {
  return scopes.find((scope) => {
    const { applications: allowed } = narrowRights(held, scope);
    return !coversApplications(allowed, applications);
  });
}

function joinApplications(a: Applications, b: Applications): Applications {
  return a === 'all' || b === 'all' ? 'all' : [...new Set([...a, ...b])];
}

function commonApplications(a: Applications, b: Applications): Applications {
  if (a === 'all') return b;
  return b === 'all' ? a : a.filter((name) => b.includes(name));
}

/** Returns the scopes that both have. `admin` includes all others. */
function commonScopes(a: readonly Scope[], b: readonly Scope[]): readonly Scope[] {
  if (a === b || b.includes('admin')) return a;
  return a.includes('admin') ? b : a.filter((scope) => b.includes(scope));
}
