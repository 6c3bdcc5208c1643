import { readFileSync } from 'node:fs';
import { PlatformError } from '@posthaste/contracts';
import {
  isSecret,
  type SettingDefinition,
  type SettingDefinitions,
  type SettingFault,
  type SettingValues,
  variablesOf,
} from './definition.js';
import { parseSetting } from './parse.js';
import { settingSections } from './registry.js';
import { nearestWord } from './spelling.js';

/** Prefix of the platform's variables: an unknown variable with it is a misspelt one. */
const prefix = 'POSTHASTE_';

/** Environment variables, as in `process.env`. An empty variable counts as not set. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Options of `readSettings`. */
export interface ReadOptions<D extends SettingDefinitions> {
  /**
   * Checks the rules between settings. Gets the values that are right on their own; a setting that
   * already has a fault is `undefined`. Default: no rules.
   */
  readonly check?: (values: Partial<SettingValues<D>>) => readonly SettingFault[];
}

/**
 * Reads all settings of a table, and reports all faults at once: values that cannot be parsed,
 * required variables that are missing, broken rules between settings, and `POSTHASTE_` variables
 * that no part of the platform knows.
 * @throws PlatformError `CONFIG_INVALID` with the list of {@link SettingFault} as `details`
 */
export function readSettings<const D extends SettingDefinitions>(
  environment: Environment,
  definitions: D,
  options: ReadOptions<D> = {},
): SettingValues<D> {
  const faults: SettingFault[] = [];
  const values: Record<string, unknown> = {};
  for (const [key, definition] of Object.entries(definitions)) {
    const result = readSetting(environment, definition);
    if ('fault' in result) faults.push({ name: definition.name, message: result.fault });
    else values[key] = result.value;
  }
  faults.push(...(options.check?.(values as Partial<SettingValues<D>>) ?? []));
  faults.push(...findUnknown(environment, definitions));
  // Without faults, every key holds a value of its definition's own type.
  if (faults.length === 0) return values as SettingValues<D>;
  throw new PlatformError(
    'CONFIG_INVALID',
    ['the configuration is wrong:', ...faults.map((fault) => `  - ${fault.message}`)].join('\n'),
    { details: faults },
  );
}

type ReadResult = { readonly value: unknown } | { readonly fault: string };

function readSetting(environment: Environment, definition: SettingDefinition): ReadResult {
  const source = isSecret(definition)
    ? readSecret(environment, definition.name)
    : { text: trimmed(environment[definition.name]), from: definition.name };
  if ('fault' in source) return source;
  if (source.text === undefined) {
    if (definition.required) return { fault: `${definition.name} is not set, but it is required.` };
    return { value: 'default' in definition ? definition.default : undefined };
  }
  const result = parseSetting(definition, source.text);
  if ('value' in result) return result;
  const shown = isSecret(definition) ? '' : ` is ${JSON.stringify(source.text)}, which`;
  return { fault: `${source.from}${shown} ${result.fault}.` };
}

/** Reads a secret's text from its variable or from the file that `NAME_FILE` names. */
function readSecret(
  environment: Environment,
  name: string,
): { text: string | undefined; from: string } | { fault: string } {
  const file = trimmed(environment[`${name}_FILE`]);
  const text = trimmed(environment[name]);
  if (file === undefined) return { text, from: name };
  if (text !== undefined) return { fault: `${name} and ${name}_FILE are both set; remove one.` };
  try {
    // Trimmed, because editors and `echo` end a file with a newline.
    const content = trimmed(readFileSync(file, 'utf8'));
    return content === undefined
      ? { fault: `${name}_FILE names the file ${file}, which is empty.` }
      : { text: content, from: `The content of ${name}_FILE` };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { fault: `${name}_FILE cannot be read: ${reason}.` };
  }
}

function trimmed(text: string | undefined): string | undefined {
  const value = text?.trim();
  return value === '' ? undefined : value;
}

/** Finds variables with the platform's prefix that no app reads. */
function findUnknown(environment: Environment, definitions: SettingDefinitions): SettingFault[] {
  const known = new Set(
    [definitions, ...settingSections.map((section) => section.settings)].flatMap(variablesOf),
  );
  return Object.keys(environment)
    .filter((name) => name.startsWith(prefix) && !known.has(name))
    .sort()
    .map((name) => {
      const meant = nearestWord(name, known);
      const hint = meant === undefined ? '' : ` Did you mean ${meant}?`;
      return { name, message: `${name} is not a setting.${hint}` };
    });
}
