import { describe, expect, it } from 'vitest';
import type { ListItem } from './definition.js';
import { parseSetting } from './parse.js';

/** True if the text is accepted as a list of such items. */
function accepts(items: ListItem, text: string): boolean {
  return 'value' in parseSetting({ name: 'X', type: 'list', items, meaning: '' }, text);
}

describe('list items', () => {
  it.each<[ListItem, string, boolean]>([
    ['string', 'anything at all', true],
    ['host', 'example.com', true],
    ['host', 'localhost', true],
    ['host', '10.0.0.1', true],
    ['host', '[::1]', true],
    ['host', 'example.com:80', false],
    ['host', 'https://example.com', false],
    ['address', 'broker-1.internal:9092', true],
    ['address', 'broker', false],
    ['address', 'broker:99999', false],
    ['origin', 'https://app.example.com', true],
    ['origin', 'http://localhost:3000', true],
    ['origin', 'https://app.example.com/', false],
    ['origin', '*', false],
    ['origin', 'null', false],
    ['recipient', 'ops@example.com', true],
    ['recipient', '*@example.com', true],
    ['recipient', 'example.com', false],
    ['recipient', '*', false],
    ['recipient', '*@*', false],
    ['recipient', 'a*@example.com', false],
    ['network', '10.0.0.0/8', true],
    ['network', '::1', true],
    ['network', 'fd00::/129', false],
    ['network', '10.0.0.0/33', false],
    ['network', '10.0.0.0/8/8', false],
    ['network', 'example.com', false],
  ])('as %s: %s is accepted: %s', (items, text, accepted) => {
    expect(accepts(items, text)).toBe(accepted);
  });
});

describe('choices', () => {
  const choices = { name: 'X', type: 'choices', choices: ['a', 'b'], meaning: '' } as const;

  it('may be several, each of which must be offered', () => {
    expect(parseSetting(choices, ' a, b,,')).toEqual({ value: ['a', 'b'] });
    expect(parseSetting(choices, 'a,c')).toEqual({ fault: 'has "c", which is none of a, b' });
  });
});

describe('URLs', () => {
  const url = { name: 'X', type: 'url', schemes: ['https', 'http'], meaning: '' } as const;

  it.each([
    ['https://posthaste.example', 'https://posthaste.example'],
    ['https://Posthaste.example:443/', 'https://posthaste.example'],
    ['http://127.0.0.1:8080', 'http://127.0.0.1:8080'],
  ])('may be an origin only: %s is %s', (text, value) => {
    expect(parseSetting({ ...url, originOnly: true }, text)).toEqual({ value });
  });

  it.each([
    'posthaste.example',
    'ftp://posthaste.example',
    'https://posthaste.example/events',
    'https://posthaste.example/?a=b',
    'https://posthaste.example?',
    'https://posthaste.example#top',
    'https://user@posthaste.example',
  ])('may not have more than an origin then: %s', (text) => {
    expect(parseSetting({ ...url, originOnly: true }, text)).toHaveProperty('fault');
  });
});

describe('keys', () => {
  const key = { name: 'X', type: 'key', bytes: 3, secret: true, meaning: '' } as const;

  it('need their exact length', () => {
    expect(parseSetting(key, 'AAEC')).toEqual({ value: new Uint8Array([0, 1, 2]) });
    expect(parseSetting(key, 'AAECAw==')).toHaveProperty('fault');
  });

  it('may hold nothing that base64 decoders skip', () => {
    expect(parseSetting(key, 'AA EC')).toHaveProperty('fault');
  });
});
