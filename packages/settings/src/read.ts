import { readFileSync } from 'node:fs';
import { PlatformError } from '@posthaste/contracts';
import {
  isSecret,
  type SettingDefinition,
  type SettingDefinitions,
  type SettingValues,
  variablesOf,
} from './definition.js';
import { parseSetting } from './parse.js';
import { settingSections } from './registry.js';
import { nearestWord } from './spelling.js';

/** Variables with this prefix belong to the platform: an unknown one is a misspelt one. */
const prefix = 'POSTHASTE_';

/** The environment, as `process.env` has it. An empty variable counts as not set. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** One thing that is wrong with the configuration. */
export interface SettingFault {
  /** The variable. */
  readonly name: string;
  /** The whole sentence, variable included. Never holds the value of a secret. */
  readonly message: string;
}

export interface ReadOptions<D extends SettingDefinitions> {
  /**
   * Rules that concern several settings. Sees the values that are right on their own; a setting
   * that has a fault already is `undefined` here.
   */
  readonly check?: (values: Partial<SettingValues<D>>) => readonly SettingFault[];
}

/**
 * Reads all settings of a table at once, and reports every fault at once: values that cannot be
 * read, required ones that are missing, rules between settings, and `POSTHASTE_` variables that
 * no part of the platform knows.
 * @throws PlatformError `CONFIG_INVALID`, its `details` the list of {@link SettingFault}
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
  // Every key was either set from its definition's own parser or has put a fault into the list.
  faults.push(...(options.check?.(values as Partial<SettingValues<D>>) ?? []));
  faults.push(...findUnknown(environment, definitions));
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
    if (definition.required) return { fault: `${definition.name} is not set, and is needed.` };
    return { value: 'default' in definition ? definition.default : undefined };
  }
  const result = parseSetting(definition, source.text);
  if ('value' in result) return result;
  const shown = isSecret(definition) ? '' : ` is ${JSON.stringify(source.text)}, which`;
  return { fault: `${source.from}${shown} ${result.fault}.` };
}

/** A secret's text from its variable or from the file that `NAME_FILE` names. */
function readSecret(
  environment: Environment,
  name: string,
): { text: string | undefined; from: string } | { fault: string } {
  const file = trimmed(environment[`${name}_FILE`]);
  const text = trimmed(environment[name]);
  if (file === undefined) return { text, from: name };
  if (text !== undefined) return { fault: `${name} and ${name}_FILE are both set; keep one.` };
  try {
    // Trimmed, because editors and `echo` end a file with a newline.
    const held = trimmed(readFileSync(file, 'utf8'));
    return held === undefined
      ? { fault: `${name}_FILE names ${file}, which is empty.` }
      : { text: held, from: `The content of ${name}_FILE` };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { fault: `${name}_FILE cannot be read: ${reason}.` };
  }
}

function trimmed(text: string | undefined): string | undefined {
  const value = text?.trim();
  return value === '' ? undefined : value;
}

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
