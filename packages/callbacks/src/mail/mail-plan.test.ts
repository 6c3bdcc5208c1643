import { describe, expect, it } from 'vitest';
import {
  type ConfirmationHistory,
  confirmationLimits,
  planConfirmations,
  planNotices,
} from './mail-plan.js';

const limits = { perHour: 3, held: 2 };
const notices = (...counts: number[]) =>
  counts.map((count, i) => ({ id: `${i}`, notices: count, hasText: count === 1 }));

describe('plan of notices', () => {
  it('sends up to the limit of the hour to a confirmed recipient, and counts the others', () => {
    const recipient = { state: 'confirmed', mailsInWindow: 1, held: 0 } as const;
    expect(planNotices(recipient, notices(1, 1, 1, 490), limits)).toEqual({
      send: ['0', '1'],
      hold: [],
      remove: ['2', '3'],
      suppressed: 491,
      dropped: 0,
    });
    const full = { ...recipient, mailsInWindow: 5 };
    expect(planNotices(full, notices(1), limits)).toMatchObject({ send: [], suppressed: 1 });
  });

  it('holds few mails of a pending recipient, and counts the others', () => {
    const recipient = { state: 'pending', mailsInWindow: 0, held: 1 } as const;
    expect(planNotices(recipient, notices(1, 1, 1), limits)).toEqual({
      send: [],
      hold: ['0'],
      remove: ['1', '2'],
      suppressed: 2,
      dropped: 0,
    });
  });

  it('drops all mails of recipients that refused, or are not stored', () => {
    const recipient = { state: 'refused', mailsInWindow: 0, held: 0 } as const;
    const dropped = { send: [], hold: [], remove: ['0', '1'], suppressed: 0, dropped: 6 };
    expect(planNotices(recipient, notices(1, 5), limits)).toEqual(dropped);
    expect(planNotices(undefined, notices(1, 5), limits)).toEqual(dropped);
  });
});

describe('plan of confirmations', () => {
  const nobody: ConfirmationHistory = { mailboxes: new Map(), inLastHour: new Map() };
  const ask = (application: string, mailbox: string) => ({ application, mailbox });

  it('asks a mailbox once, for whichever application names it first', () => {
    const plans = planConfirmations([ask('a', 'x@x'), ask('b', 'x@x'), ask('b', 'y@x')], nobody);
    expect(plans).toEqual(['send', { waitMs: confirmationLimits.mailboxPauseMs }, 'send']);
  });

  it('asks a mailbox three times at most, with a day in between, and never after a refusal', () => {
    const day = confirmationLimits.mailboxPauseMs;
    const planAfter = (confirmations: number, lastMsAgo: number, hasRefused = false) =>
      planConfirmations([ask('a', 'x@x')], {
        ...nobody,
        mailboxes: new Map([['x@x', { confirmations, lastMsAgo, hasRefused }]]),
      })[0];
    expect(planAfter(1, day - 1_000)).toEqual({ waitMs: 1_000 });
    expect(planAfter(2, day)).toBe('send');
    expect(planAfter(3, 30 * day)).toBe('never');
    expect(planAfter(1, 30 * day, true)).toBe('never');
  });

  it('asks for one application twenty times an hour at most', () => {
    const many = Array.from({ length: 30 }, (_, i) => ask('a', `${i}@x`));
    const plans = planConfirmations([...many, ask('b', 'other@x')], {
      ...nobody,
      inLastHour: new Map([['a', 5]]),
    });
    expect(plans.filter((plan) => plan === 'send')).toHaveLength(16);
    expect(plans.slice(0, 30).at(-1)).toEqual({ waitMs: 3_600_000 });
    expect(plans.at(-1)).toBe('send');
  });
});
