import type { Scope } from '@posthaste/access';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Call } from '../../test/caller.js';
import { putDeadLetters } from '../../test/dead-letters.js';
import { follow } from '../../test/follower.js';
import { openTestAudit, type TestAudit } from '../../test/test-audit.js';
import { isAuditPattern, isAuditTopic } from './audit-events.js';

interface Page {
  readonly code?: string;
  readonly items: readonly { readonly event: { readonly name: string } }[];
}

describe('events of the audit log', () => {
  let platform: TestAudit;
  let endpointId: string;
  beforeAll(async () => {
    platform = await openTestAudit('embedded');
    const endpoint = { application: 'shop', name: 'e', url: 'https://example.com/' };
    const created = await platform.call<{ endpoint: { id: string } }>(
      'POST',
      '/v1/endpoints',
      endpoint,
    );
    endpointId = created.json.endpoint.id;
    await putDeadLetters(platform, [
      { name: 'audit.recorded', topic: 'audit', application: 'shop' },
      { name: 'order.created', topic: 'orders', application: 'shop' },
    ]);
  });
  afterAll(() => platform.close());

  const withScopes = (...scopes: readonly Scope[]): Promise<Call> =>
    platform.withKey({ name: 'k', scopes, applications: ['shop'] });
  const namesIn = async (call: Call, path: string) => {
    const { json } = await call<Page>('GET', path);
    return json.code ?? json.items.map(({ event }) => event.name);
  };

  it('are read with the scope audit:read only', async () => {
    const reader = await withScopes('events:read');
    const auditor = await withScopes('events:read', 'audit:read');
    const log = '/v1/events?topic=audit';
    const letters = '/v1/events/dead-letters';
    for (const path of [log, '/v1/events?topic=orders,audit', `${letters}?topic=audit`]) {
      expect(await namesIn(reader, path)).toBe('SCOPE_MISSING');
    }
    expect(await namesIn(reader, '/v1/events?topic=audit.dlq')).toBe('SCOPE_MISSING');
    expect(await namesIn(reader, letters)).toEqual(['order.created']);
    expect(await namesIn(auditor, log)).toEqual(['audit.recorded']);
    expect(await namesIn(auditor, `${letters}?topic=audit`)).toEqual(['audit.recorded']);
    expect(await namesIn(auditor, letters)).toHaveLength(2);
  });

  it('are followed with the scope audit:read only', async () => {
    const url = await platform.listen();
    const status = async (scopes: readonly Scope[]) => {
      const token = await platform.createToken({ name: 'k', scopes, applications: ['shop'] });
      const headers = { authorization: `Bearer ${token}` };
      const { response, leave } = await follow(`${url}/v1/events?topic=audit`, headers);
      leave();
      return response.status;
    };
    expect(await status(['events:read'])).toBe(403);
    expect(await status(['events:read', 'audit:read'])).toBe(200);
  });

  it('are subscribed to with the scope audit:read only', async () => {
    const writer = await withScopes('endpoints:write');
    const auditor = await withScopes('endpoints:write', 'audit:read');
    const subscribe = (call: Call, eventName: string) =>
      call<{ id: string; code?: string }>('POST', '/v1/subscriptions', { endpointId, eventName });
    for (const eventName of ['audit.recorded', 'audit.*', 'audit.**']) {
      expect((await subscribe(writer, eventName)).json.code).toBe('SCOPE_MISSING');
      expect((await subscribe(auditor, eventName)).status).toBe(201);
    }
    const { json } = await subscribe(writer, '**');
    const replace = async (call: Call) =>
      (await call('PUT', `/v1/subscriptions/${json.id}`, { eventName: 'audit.*' })).status;
    expect([await replace(writer), await replace(auditor)]).toEqual([403, 200]);
  });
});

describe('names of the audit log', () => {
  it.each(['audit', 'audit.dlq', 'audit.mail.retry.2'])('has the topic %s', (topic) => {
    expect(isAuditTopic(topic)).toBe(true);
  });

  it.each(['audits', 'audit.trail', 'my.audit', 'orders.dlq'])('has not the topic %s', (topic) => {
    expect(isAuditTopic(topic)).toBe(false);
  });

  it('are in patterns that begin with their word', () => {
    expect(['audit.*', 'audit.**', 'audit.recorded'].every(isAuditPattern)).toBe(true);
    // None of these matches events of the platform.
    expect(['**', '*.recorded', 'order.*', 'audit'].some(isAuditPattern)).toBe(false);
  });
});
