import { describe, expect, it } from 'vitest';
import { isCompactUuid4 } from './event-id.js';
import {
  deadLetterTopic,
  isDeadLetterTopic,
  isName,
  isRetryTopic,
  retryTopic,
  toWireGroup,
  toWireTopic,
} from './topic-name.js';

function invalid(field: string): unknown {
  return expect.objectContaining({
    code: 'EVENT_INVALID',
    message: "topic format isn't valid",
    details: expect.objectContaining({ field }),
  });
}

describe('isName', () => {
  it.each([
    'a',
    '7',
    'topic',
    'Topic-1',
    'player_login',
    "o'neill",
    'studio.dev.topic-123',
    '3671efef-876b-4133-897d-79134e936cd9',
    'x'.repeat(256),
  ])('accepts %s', (name) => {
    expect(isName(name)).toBe(true);
  });

  it.each([
    '',
    '.',
    '..',
    '-a',
    'topic-',
    'topic.',
    'a--b',
    'a._b',
    'topic!@#',
    'a b',
    'a,b',
    'a/b',
    'é',
    'a\n',
    'x'.repeat(257),
    undefined,
    null,
    7,
    ['a'],
  ])('refuses %j', (name) => {
    expect(isName(name)).toBe(false);
  });

  it('answers at once for a text that makes patterns backtrack', () => {
    const started = performance.now();
    expect(isName(`${'a.'.repeat(127)}a!`)).toBe(false);
    expect(isName(`${'a'.repeat(255)}!`)).toBe(false);
    // A pattern that backtracks would take years.
    expect(performance.now() - started).toBeLessThan(5_000);
  });
});

describe('toWireTopic', () => {
  it('puts the prefix before the topic, unless it is empty', () => {
    expect(toWireTopic('dev', 'player')).toBe('dev.player');
    expect(toWireTopic('', 'player')).toBe('player');
  });

  it('accepts 249 characters with the prefix, and no more', () => {
    expect(toWireTopic('dev', 'x'.repeat(245))).toHaveLength(249);
    expect(() => toWireTopic('dev', 'x'.repeat(246))).toThrow(invalid('topic'));
  });

  it.each(['', '.', '..', "o'neill", 'a b', 'a/b', 'é'])('refuses the topic %j', (topic) => {
    expect(() => toWireTopic('', topic)).toThrow(invalid('topic'));
  });
});

describe('toWireGroup', () => {
  it('puts the prefix before the group, unless it is empty', () => {
    expect(toWireGroup('dev', 'billing')).toBe('dev.billing');
    expect(toWireGroup('', 'billing')).toBe('billing');
  });

  it('begins with a dot, as groups of the Go SDK do, if asked', () => {
    expect(toWireGroup('', 'billing', { leadingDot: true })).toBe('.billing');
    expect(toWireGroup('dev', 'billing', { leadingDot: true })).toBe('dev.billing');
  });

  it('makes up a new group for an empty one, each time', () => {
    const groups = [toWireGroup('', ''), toWireGroup('', '')];
    expect(groups.every(isCompactUuid4)).toBe(true);
    expect(new Set(groups).size).toBe(2);
    expect(toWireGroup('dev', '')).toMatch(/^dev\.[0-9a-f]{32}$/);
  });
});

describe('topics of failed records', () => {
  it('are named after the topic, and after the group for its retries', () => {
    expect(deadLetterTopic('dev.player')).toBe('dev.player.dlq');
    expect(retryTopic('dev.player', 'dev.billing', 2)).toBe('dev.player.dev.billing.retry.2');
  });

  it('are recognised by their names', () => {
    expect(['a.dlq', 'dlq', 'a.dlqs', 'a.dlq.b'].map(isDeadLetterTopic)).toEqual([
      true,
      false,
      false,
      false,
    ]);
    expect(['a.b.retry.1', 'a.retry.12', 'a.retry', 'a.retry.x'].map(isRetryTopic)).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });

  it('are refused if Kafka would refuse them', () => {
    expect(() => deadLetterTopic('x'.repeat(246))).toThrow(invalid('topic'));
    expect(() => retryTopic('player', "o'neill", 1)).toThrow(invalid('groupId'));
    expect(() => retryTopic('player', 'x'.repeat(240), 1)).toThrow(invalid('groupId'));
  });
});
