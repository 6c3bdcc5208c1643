import { describe, expect, it } from 'vitest';
import { describeCallback } from './callback-description.js';

const callback = {
  id: '019a8d3c-5a01-7c3e-9d4b-2f6f1f0a7c11',
  application: '',
  queue: 'orders',
  state: 'held',
  hold: 'paused',
  createdAt: '2026-01-02T03:04:05.678Z',
  dueAt: '2026-01-02T03:05:00.000Z',
  endedAt: null,
  request: { method: 'POST', url: 'http://localhost/hook' },
  attempts: [],
  leases: [],
};

const now = new Date('2026-01-02T03:04:10.000Z');

describe('the description of a callback', () => {
  it('leaves out facts that the callback does not have', () => {
    expect(describeCallback(callback, now).split('\n')).toEqual([
      'id            019a8d3c-5a01-7c3e-9d4b-2f6f1f0a7c11',
      'state         held (paused)',
      'request       POST http://localhost/hook',
      'queue         orders',
      'accepted      2026-01-02T03:04:05.678Z',
      'next attempt  2026-01-02T03:05:00.000Z',
      'no attempt yet',
    ]);
  });

  it('shows no time in the past as the next attempt', () => {
    const nextOf = (hold: string | null, at: Date, state = 'pending'): string | undefined =>
      /next attempt {2}(.*)/.exec(describeCallback({ ...callback, state, hold }, at))?.[1];
    const due = '2026-01-02T03:05:00.000Z';
    expect(nextOf(null, now)).toBe(due);
    expect(nextOf(null, new Date(due))).toBe(
      `as soon as its host may be tried again (due since ${due})`,
    );
    expect(nextOf(null, new Date(due), 'waiting')).toBe(
      'after the callbacks ahead of it in its queue',
    );
    expect(nextOf('paused', new Date(due))).toBe(due);
  });

  it('tells why a worker sent nothing under the last lease', () => {
    const lease = { machine: 'w:1', acquiredAt: '2026-01-02T03:04:06.000Z' };
    const lastLine = (...notes: (string | null)[]): string | undefined =>
      describeCallback({ ...callback, leases: notes.map((note) => ({ ...lease, note })) }, now)
        .split('\n')
        .at(-1);
    expect(lastLine(null, 'not sent: secret main cannot be read')).toBe(
      '2026-01-02T03:04:06.000Z  w:1  not sent: secret main cannot be read',
    );
    expect(lastLine('not sent: secret main cannot be read', null)).toBe('no attempt yet');
  });

  it('numbers the attempts, with their status or the reason of their failure', () => {
    const attempt = { startedAt: '2026-01-02T03:04:06.000Z', durationMs: 12.34 };
    const text = describeCallback(
      {
        ...callback,
        attempts: [
          { ...attempt, statusCode: 0, reason: 'timeout', detail: 'no answer within 15 s' },
          { ...attempt, statusCode: 200, reason: null, detail: null },
        ],
      },
      now,
    );
    expect(text.split('\n').slice(-3)).toEqual([
      'attempts',
      '  1. 2026-01-02T03:04:06.000Z  12.3 ms  timeout  no answer within 15 s',
      '  2. 2026-01-02T03:04:06.000Z  12.3 ms  200',
    ]);
  });
});
