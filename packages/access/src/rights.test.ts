import { describe, expect, it } from 'vitest';
import { type Caller, callerFor } from './caller.js';
import { findMissingScope, limitRights, narrowRights } from './rights.js';
import { rightsOfGrants, scopesOfRole } from './roles.js';
import { scopes } from './scopes.js';

const operatorOfShop = { role: 'operator', applications: ['shop'] } as const;
const viewerOfPay = { role: 'viewer', applications: ['pay'] } as const;

describe('roles', () => {
  it('let a viewer read everything but the audit log', () => {
    const held = scopesOfRole('viewer');
    expect(held).toContain('callbacks:read');
    expect(held.filter((scope) => !scope.endsWith(':read'))).toEqual([]);
    expect(held.filter((scope) => scope.startsWith('audit:'))).toEqual([]);
  });

  it('let an operator read everything, and do the daily work', () => {
    const held = scopesOfRole('operator');
    expect(scopes.filter((scope) => scope.endsWith(':read') && !held.includes(scope))).toEqual([]);
    expect(held.filter((scope) => scope.endsWith(':write'))).toEqual([
      'callbacks:write',
      'endpoints:write',
      'queues:write',
      'events:write',
      'realtime:write',
    ]);
    expect(held).not.toContain('admin');
  });

  it('let an admin do everything', () => {
    expect(scopesOfRole('admin')).toEqual(['admin']);
  });
});

describe('rights that differ between applications', () => {
  const rights = rightsOfGrants([operatorOfShop, viewerOfPay]);
  const person: Caller = {
    ...{ kind: 'person', id: '1', name: 'Anna', expiresAt: null, rights },
    ...narrowRights(rights),
  };

  it('hold only in the applications in which somebody has the scope', () => {
    expect(callerFor(person, 'callbacks:write').applications).toEqual(['shop']);
    expect(callerFor(person, 'callbacks:read').applications).toEqual(['shop', 'pay']);
    expect(callerFor(person, 'callbacks:read').scopes).not.toContain('callbacks:write');
  });

  it('give nothing where somebody has the scope nowhere', () => {
    expect(callerFor(person, 'admin').scopes).not.toContain('admin');
  });

  it('are compared scope by scope and application by application', () => {
    const writes = ['callbacks:write'] as const;
    expect(findMissingScope(rights, { applications: ['shop'], scopes: writes })).toBeUndefined();
    expect(findMissingScope(rights, { applications: ['shop', 'pay'], scopes: writes })).toBe(
      'callbacks:write',
    );
    expect(findMissingScope(rights, { applications: 'all', scopes: ['callbacks:read'] })).toBe(
      'callbacks:read',
    );
  });

  it('shrink with those of a parent', () => {
    const limit = {
      applications: ['pay', 'other'],
      scopes: ['callbacks:read', 'events:write'],
    } as const;
    expect(limitRights(rights, limit)).toEqual([
      { applications: ['pay'], scopes: ['callbacks:read'] },
    ]);
    expect(limitRights([{ applications: 'all', scopes: ['admin'] }], limit)).toEqual([limit]);
    expect(limitRights([limit], { applications: 'all', scopes: ['admin'] })).toEqual([limit]);
  });
});
