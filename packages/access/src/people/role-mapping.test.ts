import { describe, expect, it } from 'vitest';
import { grantsOf, parseRoleRule, readClaim } from './role-mapping.js';

describe('rules of roles', () => {
  it('give a role for all applications, or for one', () => {
    expect(parseRoleRule('platform-admins=admin')).toEqual({
      value: 'platform-admins',
      role: 'admin',
      application: undefined,
    });
    expect(parseRoleRule('shop-team=operator:shop')).toMatchObject({ application: 'shop' });
    expect(parseRoleRule('default-team=viewer:')).toMatchObject({ application: '' });
  });

  it('may have any text in values and applications', () => {
    expect(parseRoleRule('cn=ops%2Cou=x=viewer:a:b=c%25')).toEqual({
      value: 'cn=ops,ou=x',
      role: 'viewer',
      application: 'a:b=c%',
    });
  });

  it.each(['admins', 'admins=', '=admin', 'admins=root', 'admins=Admin', 'a%=admin', ''])(
    'cannot be %j',
    (text) => {
      expect(() => parseRoleRule(text)).toThrow(
        expect.objectContaining({ code: 'OPTION_INVALID' }),
      );
    },
  );

  it('add up', () => {
    const rules = ['a=viewer:shop', 'b=viewer:pay', 'c=viewer', 'd=operator:shop'].map(
      parseRoleRule,
    );
    expect(grantsOf(['a', 'b', 'd'], rules)).toEqual([
      { role: 'viewer', applications: ['shop', 'pay'] },
      { role: 'operator', applications: ['shop'] },
    ]);
    expect(grantsOf(['c', 'b', 'a'], rules)).toEqual([{ role: 'viewer', applications: 'all' }]);
    expect(grantsOf(['A', 'x'], rules)).toEqual([]);
  });
});

describe('the roles claim', () => {
  it('is a list of texts, or one text', () => {
    expect(readClaim({ groups: ['a', 1, null, 'b'] }, 'groups')).toEqual(['a', 'b']);
    expect(readClaim({ groups: 'a' }, 'groups')).toEqual(['a']);
    expect(readClaim({ groups: {} }, 'groups')).toBeUndefined();
  });

  it('is found by its name, dots included, and else in nested objects', () => {
    const claims = { realm_access: { roles: ['a'] }, 'https://example.com/roles': ['b'] };
    expect(readClaim(claims, 'realm_access.roles')).toEqual(['a']);
    expect(readClaim(claims, 'https://example.com/roles')).toEqual(['b']);
    expect(readClaim(claims, 'constructor.name')).toBeUndefined();
    expect(readClaim(claims, 'nothing.at.all')).toBeUndefined();
  });
});
