interface Described {
  /** Name of the environment variable, such as `POSTHASTE_PORT`. */
  readonly name: string;
  /** Description for the person who sets it, one or two sentences. */
  readonly meaning: string;
  /** Present: a process does not start without it. */
  readonly required?: true;
}

/** Part of settings that may hold a password. No fault repeats the value of such a setting. */
interface MaySecret {
  /** Present: `NAME_FILE` may name a file that holds the value instead. */
  readonly secret?: true;
}

/** Setting of any text. */
export interface StringSetting extends Described, MaySecret {
  readonly type: 'string';
  readonly default?: string;
}

/** Setting of a whole number, both bounds included. */
export interface IntegerSetting extends Described {
  readonly type: 'integer';
  readonly min: number;
  readonly max: number;
  /** Unit for people: `bytes`, `connections`. */
  readonly unit?: string;
  readonly default?: number;
}

/**
 * Setting of a duration, written with a unit (`500ms`, `30s`, `5m`, `1h`, `7d`). Bounds, default and
 * value are milliseconds.
 */
export interface DurationSetting extends Described {
  readonly type: 'duration';
  readonly min: number;
  readonly max: number;
  readonly default?: number;
}

/** Setting of `true` or `1`, `false` or `0`. */
export interface BooleanSetting extends Described {
  readonly type: 'boolean';
  readonly default?: boolean;
}

/** Setting of exactly one of its choices. */
export interface ChoiceSetting extends Described {
  readonly type: 'choice';
  readonly choices: readonly string[];
  readonly default?: string;
}

/** Setting of any of its choices, separated by commas; spaces around them are ignored. */
export interface ChoicesSetting extends Described {
  readonly type: 'choices';
  readonly choices: readonly string[];
  readonly default?: readonly string[];
}

/** Setting of an absolute URL. */
export interface UrlSetting extends Described, MaySecret {
  readonly type: 'url';
  /** Accepted schemes, without the colon. */
  readonly schemes: readonly string[];
  /**
   * Present: the URL has a scheme, a host and an optional port only. The value has no slash at its
   * end.
   */
  readonly originOnly?: true;
  readonly default?: string;
}

/**
 * Form of the items of a list: `host` is a name or address without port, `address` a host with a
 * port, `origin` a scheme, host and optional port, `network` an IP address or CIDR, `recipient` a mail
 * address or `*@` with a domain.
 */
export type ListItem = 'string' | 'host' | 'address' | 'origin' | 'network' | 'recipient';

/** Setting of items separated by commas; spaces around items are ignored. */
export interface ListSetting extends Described {
  readonly type: 'list';
  readonly items: ListItem;
  readonly default?: readonly string[];
}

/** Setting of random bytes, written in base64. Always secret. */
export interface KeySetting extends Described {
  readonly type: 'key';
  /** Exact length of the key, in bytes. */
  readonly bytes: number;
  readonly secret: true;
}

/** Definition of one environment variable: its type, its meaning and its default. */
export type SettingDefinition =
  | StringSetting
  | IntegerSetting
  | DurationSetting
  | BooleanSetting
  | ChoiceSetting
  | ChoicesSetting
  | UrlSetting
  | ListSetting
  | KeySetting;

/** Table of settings, by the names that the program uses. */
export type SettingDefinitions = Readonly<Record<string, SettingDefinition>>;

type Parsed<D extends SettingDefinition> = D extends IntegerSetting | DurationSetting
  ? number
  : D extends BooleanSetting
    ? boolean
    : D extends ListSetting
      ? readonly string[]
      : D extends KeySetting
        ? Uint8Array
        : D extends ChoiceSetting
          ? D['choices'][number]
          : D extends ChoicesSetting
            ? readonly D['choices'][number][]
            : string;

/** Type of a setting's value: `undefined` only if it has no default and is not required. */
export type SettingValue<D extends SettingDefinition> = D extends
  | { readonly default: unknown }
  | { readonly required: true }
  ? Parsed<D>
  : Parsed<D> | undefined;

/** Values of a table of settings. */
export type SettingValues<D extends SettingDefinitions> = {
  readonly [Key in keyof D]: SettingValue<D[Key]>;
};

/** One thing that is wrong with the configuration. */
export interface SettingFault {
  /** Name of the environment variable. */
  readonly name: string;
  /** Whole sentence, with the variable's name. Never holds the value of a secret. */
  readonly message: string;
}

/** Returns the names of all variables of these settings, including `NAME_FILE` of secrets. */
export function variablesOf(definitions: SettingDefinitions): string[] {
  return Object.values(definitions).flatMap((definition) =>
    isSecret(definition) ? [definition.name, `${definition.name}_FILE`] : [definition.name],
  );
}

/** True if the value may come from a file and must never be shown. */
export function isSecret(definition: SettingDefinition): boolean {
  return 'secret' in definition && definition.secret === true;
}
