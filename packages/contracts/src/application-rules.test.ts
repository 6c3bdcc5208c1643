import { describe, expect, it } from 'vitest';
import { parseApplicationRules } from './application-rules.js';
import type { Applications } from './applications.js';

const rules = parseApplicationRules([
  'game.public=',
  'orders=shop',
  'game.*=game',
  'game.x=shop',
  'a+b=c=d',
  'o*=other',
]);

const owners: Record<string, string | undefined> = {
  'game.public': '',
  orders: 'shop',
  'game.x': 'game',
  'game.a.b': 'game',
  'game.': 'game',
  game: undefined,
  'a+b': 'c=d',
  aab: undefined,
  ordersx: 'other',
  xorders: undefined,
  gamex: undefined,
};

describe('rules of applications', () => {
  it.each(Object.entries(owners))('decide by the first that matches %s', (name, owner) => {
    expect(rules.ownerOf(name)).toBe(owner);
  });

  it.each<[Applications]>([
    [['shop']],
    [['game']],
    [['']],
    [['game', 'other']],
    ['all'],
    [['c=d']],
  ])('have an expression of the names of %j', (applications) => {
    const owned = new RegExp(rules.ownedBy(applications) ?? '(?!)');
    const isOwned = (owner: string | undefined): boolean =>
      owner !== undefined && (applications === 'all' || applications.includes(owner));
    for (const [name, owner] of Object.entries(owners)) {
      expect([name, owned.test(name)]).toEqual([name, isOwned(owner)]);
    }
  });

  it('have none for applications that no rule names', () => {
    expect(rules.ownedBy(['nobody'])).toBeNull();
    expect(parseApplicationRules([]).matched).toBeNull();
  });

  it('match names that are derived from others by a suffix', () => {
    const derived = parseApplicationRules(['orders=shop'], { suffix: String.raw`(?:\.dlq)?` });
    expect(derived.ownerOf('orders.dlq')).toBe('shop');
    expect(derived.ownerOf('orders.dlqx')).toBeUndefined();
  });

  it.each(['orders', '=shop', 'a*b=shop', '**=shop', `a=${'x'.repeat(257)}`, 'a=\n'])(
    'are refused when one is %j',
    (rule) => {
      expect(() => parseApplicationRules(['ok=ok', rule])).toThrow(
        expect.objectContaining({ code: 'OPTION_INVALID' }),
      );
    },
  );
});
