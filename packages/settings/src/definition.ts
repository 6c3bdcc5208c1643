interface Described {
  /** The environment variable, such as `POSTHASTE_PORT`. */
  readonly name: string;
  /** One or two sentences for the person who sets it. */
  readonly meaning: string;
  /** Starting without it is a fault. */
  readonly required?: true;
}

/** A variable that may hold a password. It may come from a file, and no fault repeats its value. */
interface MaySecret {
  /** `NAME_FILE` may name a file that holds the value instead. */
  readonly secret?: true;
}

export interface StringSetting extends Described, MaySecret {
  readonly type: 'string';
  readonly default?: string;
}

/** A whole number, both bounds included. */
export interface IntegerSetting extends Described {
  readonly type: 'integer';
  readonly min: number;
  readonly max: number;
  /** What is counted, for people: `bytes`, `connections`. */
  readonly unit?: string;
  readonly default?: number;
}

/** Written with a unit (`500ms`, `30s`, `5m`, `1h`, `7d`); bounds, default and value are milliseconds. */
export interface DurationSetting extends Described {
  readonly type: 'duration';
  readonly min: number;
  readonly max: number;
  readonly default?: number;
}

/** `true` or `1`, `false` or `0`. */
export interface BooleanSetting extends Described {
  readonly type: 'boolean';
  readonly default?: boolean;
}

export interface ChoiceSetting extends Described {
  readonly type: 'choice';
  readonly choices: readonly string[];
  readonly default?: string;
}

/** Any of the choices, separated by commas; spaces around them do not count. */
export interface ChoicesSetting extends Described {
  readonly type: 'choices';
  readonly choices: readonly string[];
  readonly default?: readonly string[];
}

export interface UrlSetting extends Described, MaySecret {
  readonly type: 'url';
  /** Schemes that are taken, without the colon. */
  readonly schemes: readonly string[];
  readonly default?: string;
}

/**
 * What the items of a list are: `host` a name or address without port, `address` a host with a
 * port, `origin` a scheme, host and optional port, `network` an IP address or CIDR.
 */
export type ListItem = 'string' | 'host' | 'address' | 'origin' | 'network';

/** Separated by commas; spaces around items do not count. */
export interface ListSetting extends Described {
  readonly type: 'list';
  readonly items: ListItem;
  readonly default?: readonly string[];
}

/** Random bytes, written in base64. Always secret. */
export interface KeySetting extends Described {
  readonly type: 'key';
  /** The exact length of the key. */
  readonly bytes: number;
  readonly secret: true;
}

/** One environment variable: what it takes, what it means, what it is when not set. */
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

/** Settings by the name that the program gives them. */
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

/** What a setting gives: `undefined` only where it has no default and is not required. */
export type SettingValue<D extends SettingDefinition> = D extends
  | { readonly default: unknown }
  | { readonly required: true }
  ? Parsed<D>
  : Parsed<D> | undefined;

/** What a table of settings gives. */
export type SettingValues<D extends SettingDefinitions> = {
  readonly [Key in keyof D]: SettingValue<D[Key]>;
};

/** Every variable that these settings are read from, the `_FILE` ones of secrets included. */
export function variablesOf(definitions: SettingDefinitions): string[] {
  return Object.values(definitions).flatMap((definition) =>
    isSecret(definition) ? [definition.name, `${definition.name}_FILE`] : [definition.name],
  );
}

/** Whether the value may come from a file and must never be shown. */
export function isSecret(definition: SettingDefinition): boolean {
  return 'secret' in definition && definition.secret === true;
}
