import { describe, expect, it } from 'vitest';
import {
  type FailedCallback,
  toConfirmationMail,
  toEndpointDisabledMail,
  toFailureMail,
  toLine,
  toSummaryMail,
  withRefuseLink,
} from './failure-mail.js';

const callback: FailedCallback = {
  id: '01890000-0000-7000-8000-000000000000',
  application: 'shop',
  queue: 'orders',
  method: 'POST',
  url: 'https://user:pass@hooks.example.com:8443/in/42?token=secret#more',
  ending: 'failed',
  acceptedAt: new Date('2026-01-31T10:00:00Z'),
  attempts: 3,
  last: { at: new Date('2026-01-31T10:05:00Z'), statusCode: 503, reason: 'status' },
  parked: false,
};

describe('failure mail', () => {
  it('says which callback failed, and how', () => {
    expect(toFailureMail('a@example.com', callback)).toEqual({
      application: 'shop',
      recipient: 'a@example.com',
      subject: 'Posthaste: a callback failed',
      body: `A callback could not be delivered. It is not attempted again.

Callback:     01890000-0000-7000-8000-000000000000
Application:  shop
Queue:        orders
Request:      POST https://hooks.example.com:8443/in/42
Accepted:     2026-01-31T10:00:00.000Z
Attempts:     3
Last attempt: 2026-01-31T10:05:00.000Z: status 503, the answer was not a success

It can be replayed.`,
    });
  });

  it('reports an expired callback without application, queue and attempts', () => {
    const expired = {
      ...callback,
      application: '',
      queue: undefined,
      attempts: 0,
      last: undefined,
    };
    const mail = toFailureMail('a@example.com', { ...expired, ending: 'expired' });
    expect(mail.subject).toBe('Posthaste: a callback expired');
    expect(mail.body).not.toMatch(/Application|Queue|Last attempt/);
    expect(mail.body).toContain('was not delivered before it expired');
  });

  it('says that the queue is parked, and that there was no answer', () => {
    const last = { at: new Date(0), statusCode: 0, reason: 'dns' } as const;
    const { body } = toFailureMail('a@example.com', { ...callback, parked: true, last });
    expect(body).toContain('until it is unblocked');
    expect(body).toContain('1970-01-01T00:00:00.000Z: the name of the host was not found');
  });

  it('does not show user, password, query or fragment of the URL', () => {
    const { body } = toFailureMail('a@example.com', callback);
    expect(body).not.toMatch(/user|pass|token|secret|more/);
  });

  it('does not let a name reach a header, or start a line', () => {
    const evil = 'shop\r\nBcc: victim@example.com\u2028x\u202ey\u0000z';
    const mails = [
      toFailureMail('a@example.com', { ...callback, application: evil, queue: evil }),
      toEndpointDisabledMail(
        'a@example.com',
        {
          id: callback.id,
          application: evil,
          name: evil,
          url: 'https://example.com/a?b=c',
          reason: evil,
        },
        new Date(0),
      ),
    ];
    for (const { subject, body } of mails) {
      expect(subject).toMatch(/^Posthaste: [a-z ]+$/);
      expect(body).not.toMatch(/^Bcc/m);
      expect(body.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
    }
  });

  it('reports a disabled endpoint', () => {
    const endpoint = {
      id: callback.id,
      application: 'shop',
      name: 'billing',
      url: callback.url,
      reason: 'the receiver answered 410',
    };
    const disabledAt = new Date('2026-01-31T10:00:00Z');
    const mail = toEndpointDisabledMail('a@example.com', endpoint, disabledAt);
    expect(mail.subject).toBe('Posthaste: an endpoint was disabled');
    expect(mail.body).toContain('Reason:      the receiver answered 410');
    expect(mail.body).toContain('URL:         https://hooks.example.com:8443/in/42');
  });

  it('shortens text that is too long', () => {
    expect(toLine('x'.repeat(200), 10)).toBe(`${'x'.repeat(9)}…`);
    const { body } = toFailureMail('a@example.com', { ...callback, application: 'é'.repeat(256) });
    expect(body.length).toBeLessThan(600);
  });

  it('sums up notices, and says of which application', () => {
    const { subject, body } = toSummaryMail('shop\r\nBcc: a@b', 12);
    expect(subject).toBe('Posthaste: more callbacks failed');
    expect(body).toMatch(/^12 more callbacks failed/);
    expect(body).toMatch(/^Application: +shop Bcc: a@b$/m);
    expect(toSummaryMail('', 1).body).toMatch(/^1 more callback failed/);
  });

  it('asks for a confirmation without a word of the application', () => {
    const links = { confirm: 'https://p.example/c?token=1', refuse: 'https://p.example/r?token=2' };
    const { body } = toConfirmationMail(links);
    expect(body.split('\n')).toEqual(expect.arrayContaining(Object.values(links)));
    expect(withRefuseLink('Body', links.refuse)).toMatch(/^Body\n\n.*\nhttps:\S+$/);
  });
});
