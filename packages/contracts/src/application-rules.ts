import { type Applications, includesApplication, isApplicationName } from './applications.js';
import { PlatformError } from './errors/errors.js';

/** Rule by which names belong to an application. */
interface ApplicationRule {
  /** Regular expression of the names, without `^` and `$`. Means the same in JavaScript and Postgres. */
  readonly names: string;
  readonly application: string;
}

/** Options of `parseApplicationRules`. */
export interface ApplicationRulesOptions {
  /**
   * Regular expression of what may follow the names of a rule, such as the suffix of names that are
   * derived from them. Default: nothing.
   */
  readonly suffix?: string | undefined;
}

const maxRules = 1_000;

/**
 * Rules by which names, of topics for example, belong to applications. The first rule that matches a
 * name decides; a name that none matches belongs to no application.
 */
export class ApplicationRules {
  readonly #rules: readonly ApplicationRule[];
  readonly #compiled: readonly (readonly [RegExp, string])[];
  /** Regular expression of the names that any rule matches, for JavaScript and Postgres. */
  readonly matched: string | null;

  constructor(rules: readonly ApplicationRule[]) {
    this.#rules = rules;
    this.#compiled = rules.map(({ names, application }) => [
      new RegExp(`^(?:${names})$`, 's'),
      application,
    ]);
    this.matched = this.ownedBy('all');
  }

  /** Returns the application that the name belongs to. */
  ownerOf(name: string): string | undefined {
    return this.#compiled.find(([names]) => names.test(name))?.[1];
  }

  /**
   * Returns a regular expression, for JavaScript and Postgres, of the names that belong to one of
   * the applications; null if no rule names one of them.
   */
  ownedBy(applications: Applications): string | null {
    let owned: string | null = null;
    // From the last rule to the first: a name that an earlier rule gives to others is left out.
    for (const { names, isOwned } of this.#runs(applications).reverse()) {
      if (isOwned) owned = owned === null ? `(?:${names})$` : `(?:${names})$|${owned}`;
      else if (owned !== null) owned = `(?!(?:${names})$)(?:${owned})`;
    }
    return owned === null ? null : `^(?:${owned})`;
  }

  /** Joins rules that follow one another and are alike: the expression nests with their number. */
  #runs(applications: Applications): { readonly names: string; readonly isOwned: boolean }[] {
    const runs: { names: string; isOwned: boolean }[] = [];
    for (const { names, application } of this.#rules) {
      const isOwned = includesApplication(applications, application);
      const last = runs.at(-1);
      if (last?.isOwned === isOwned) last.names += `|${names}`;
      else runs.push({ names, isOwned });
    }
    return runs;
  }
}

/** Rules that match no name. */
export const noApplicationRules: ApplicationRules = new ApplicationRules([]);

/**
 * Parses rules such as `orders=shop` or `game.*=game`: a name, or the beginning of names with `*`
 * after it, and the application that they belong to.
 * @throws PlatformError `OPTION_INVALID` for the first that is not one
 */
export function parseApplicationRules(
  rules: readonly string[],
  { suffix = '' }: ApplicationRulesOptions = {},
): ApplicationRules {
  if (rules.length > maxRules) {
    throw new PlatformError('OPTION_INVALID', `there are ${rules.length} rules; use ${maxRules}`);
  }
  return new ApplicationRules(
    rules.map((rule) => {
      const { name, application } = parseRule(rule);
      return { names: `${toExpression(name)}${suffix}`, application };
    }),
  );
}

function parseRule(rule: string): { readonly name: string; readonly application: string } {
  const end = rule.indexOf('=');
  const [name, application] = [rule.slice(0, Math.max(end, 0)), rule.slice(end + 1)];
  const isName = /^[^*]+\*?$|^\*$/.test(name);
  if (isName && isApplicationName(application)) return { name, application };
  const message = `${JSON.stringify(rule)} is not a name, which may end with *, and an application, such as orders=shop or game.*=game`;
  throw new PlatformError('OPTION_INVALID', message);
}

function toExpression(name: string): string {
  const isPrefix = name.endsWith('*');
  const literal = (isPrefix ? name.slice(0, -1) : name).replace(
    /[.*+?^${}()|[\]\\]/g,
    String.raw`\$&`,
  );
  return isPrefix ? `${literal}.*` : literal;
}
