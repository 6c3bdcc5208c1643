import { isIP } from 'node:net';
import type { ListItem, SettingDefinition } from './definition.js';
import { describeType, toDurationText } from './describe.js';

/** Milliseconds per unit of a duration. */
const unitMs: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** Value, or what is wrong with the text in words that follow the variable's name: `is not …`. */
export type ParseResult = { readonly value: unknown } | { readonly fault: string };

/** Converts the text of a variable to the value of its setting. */
export function parseSetting(definition: SettingDefinition, text: string): ParseResult {
  switch (definition.type) {
    case 'string':
      return { value: text };
    case 'integer':
      return parseNumber(/^-?\d{1,15}$/.test(text) ? Number(text) : undefined, definition);
    case 'duration':
      return parseNumber(toMilliseconds(text), definition);
    case 'boolean':
      return parseBoolean(text);
    case 'choice':
      return definition.choices.includes(text)
        ? { value: text }
        : { fault: `is not ${describeType(definition)}` };
    case 'choices':
      return parseChoices(text, definition.choices);
    case 'url':
      return parseUrl(text, definition);
    case 'list':
      return parseList(text, definition.items);
    case 'key':
      return parseKey(text, definition.bytes);
  }
}

function parseNumber(
  value: number | undefined,
  definition: Extract<SettingDefinition, { type: 'integer' | 'duration' }>,
): ParseResult {
  if (value === undefined) return { fault: `is not ${describeType(definition)}` };
  if (value >= definition.min && value <= definition.max) return { value };
  const show = definition.type === 'duration' ? toDurationText : String;
  return { fault: `is not from ${show(definition.min)} to ${show(definition.max)}` };
}

function toMilliseconds(text: string): number | undefined {
  // Only zero needs no unit: "30" could be seconds or milliseconds.
  if (text === '0') return 0;
  const match = /^(\d{1,12})\s?(ms|s|m|h|d)$/.exec(text);
  const perUnit = match?.[2] === undefined ? undefined : unitMs[match[2]];
  return perUnit === undefined ? undefined : Number(match?.[1]) * perUnit;
}

function parseBoolean(text: string): ParseResult {
  const value = { true: true, '1': true, false: false, '0': false }[text.toLowerCase()];
  return value === undefined ? { fault: 'is not true or false' } : { value };
}

function parseUrl(
  text: string,
  { schemes, originOnly }: Extract<SettingDefinition, { type: 'url' }>,
): ParseResult {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && schemes.includes(url.protocol.slice(0, -1))) {
    if (!originOnly) return { value: text };
    // `?` and `#` alone leave no trace in the parsed URL, so its text is compared.
    if (url.href === `${url.origin}/` && !/[?#]$/.test(text)) return { value: url.origin };
    return {
      fault: 'has more than a scheme, a host and a port, such as https://posthaste.example',
    };
  }
  return { fault: `is not a URL that starts with ${schemes.map((s) => `${s}://`).join(' or ')}` };
}

function parseChoices(text: string, choices: readonly string[]): ParseResult {
  const value = toItems(text);
  const wrong = value.find((item) => !choices.includes(item));
  if (wrong === undefined) return { value };
  return { fault: `has ${JSON.stringify(wrong)}, which is none of ${choices.join(', ')}` };
}

function toItems(text: string): string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

function parseList(text: string, items: ListItem): ParseResult {
  const value = toItems(text);
  const wrong = value.find((item) => !isItem[items](item));
  if (wrong === undefined) return { value };
  return { fault: `has the item ${JSON.stringify(wrong)}, which is not ${itemForms[items]}` };
}

const itemForms: Readonly<Record<ListItem, string>> = {
  string: 'text',
  host: 'a host name or IP address without scheme and port',
  address: 'a host and port such as broker:9092',
  origin: 'an origin such as https://app.example.com',
  network: 'an IP address or network such as 10.0.0.0/8',
  recipient: 'a mail address such as ops@example.com, or *@example.com for all of a domain',
};

const isItem: Readonly<Record<ListItem, (item: string) => boolean>> = {
  string: () => true,
  host: isHost,
  address: isAddress,
  origin: (item) =>
    /^https?:/i.test(item) && URL.canParse(item) && new URL(item).origin === item.toLowerCase(),
  network: isNetwork,
  recipient: isRecipient,
};

function isHost(item: string): boolean {
  return (
    isIP(item.replace(/^\[(.*)\]$/, '$1')) !== 0 || /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/i.test(item)
  );
}

function isRecipient(item: string): boolean {
  return /^(\*|[^\s@*<>,;:"()[\]\\%!]{1,64})@[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/i.test(item);
}

function isAddress(item: string): boolean {
  const match = /^(.+):(\d{1,5})$/.exec(item);
  return match?.[1] !== undefined && isHost(match[1]) && Number(match[2]) <= 65_535;
}

function isNetwork(item: string): boolean {
  const [address = '', prefix, ...rest] = item.split('/');
  const version = isIP(address);
  if (version === 0 || rest.length > 0) return false;
  return (
    prefix === undefined ||
    (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (version === 4 ? 32 : 128))
  );
}

function parseKey(text: string, bytes: number): ParseResult {
  const value = Buffer.from(text, 'base64');
  // Buffer skips characters that are not base64, so the decoded bytes are encoded again and compared.
  const exact = value.toString('base64').replace(/=+$/, '') === text.replace(/=+$/, '');
  if (exact && value.length === bytes) return { value: new Uint8Array(value) };
  return {
    fault: `is not ${bytes} bytes in base64; \`openssl rand -base64 ${bytes}\` creates such a key`,
  };
}
