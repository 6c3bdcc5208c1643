import type { ListItem, SettingDefinition } from './definition.js';

const units = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
] as const;

const itemNames: Readonly<Record<ListItem, string>> = {
  string: 'list',
  host: 'list of hosts',
  address: 'list of host:port',
  origin: 'list of origins',
  network: 'list of addresses or networks',
  recipient: 'list of mail addresses or *@domain',
};

/** Returns the type of a setting in words for people, with its range and unit. */
export function describeType(definition: SettingDefinition): string {
  switch (definition.type) {
    case 'string':
      return 'text';
    case 'integer': {
      const unit = definition.unit === undefined ? '' : ` ${definition.unit}`;
      return `a whole number from ${definition.min} to ${definition.max}${unit}`;
    }
    case 'duration':
      return `a duration such as 500ms, 30s, 5m or 1h, from ${toDurationText(definition.min)} to ${toDurationText(definition.max)}`;
    case 'boolean':
      return 'true or false';
    case 'choice':
      return `one of ${definition.choices.join(', ')}`;
    case 'choices':
      return `any of ${definition.choices.join(', ')}, separated by commas`;
    case 'url':
      return `URL (${definition.schemes.map((scheme) => `${scheme}://`).join(' or ')})`;
    case 'list':
      return `${itemNames[definition.items]}, separated by commas`;
    case 'key':
      return `${definition.bytes} bytes in base64`;
  }
}

/** Returns the default as it is written in the environment, or `undefined` when there is none. */
export function describeDefault(definition: SettingDefinition): string | undefined {
  if (!('default' in definition) || definition.default === undefined) return undefined;
  if (definition.type === 'duration') return toDurationText(definition.default);
  return Array.isArray(definition.default) ? definition.default.join(',') : `${definition.default}`;
}

/** Converts milliseconds to the largest unit that keeps the number whole: `90s`, `2m`, `0`. */
export function toDurationText(ms: number): string {
  if (ms === 0) return '0';
  const [unit, perUnit] = units.find(([, size]) => ms % size === 0) ?? ['ms', 1];
  return `${ms / perUnit}${unit}`;
}
