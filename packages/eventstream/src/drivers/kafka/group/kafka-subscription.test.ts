import { describe, expect, it, vi } from 'vitest';
import { toSubscription } from '../../../../test/kafka-topic.js';
import { RecordingHandler } from '../../../../test/recording-handler.js';
import { until } from '../../../../test/until.js';
import { type GroupSession, KafkaSubscription, type SessionContext } from './kafka-subscription.js';

/** A session that begins an assignment of partition 0 at once, and ends when the test says so. */
class FakeSession implements GroupSession {
  readonly context: SessionContext;
  readonly commit = vi.fn(async () => undefined);
  readonly #ended = Promise.withResolvers<unknown>();

  constructor(context: SessionContext) {
    this.context = context;
    this.begin();
  }

  begin(): void {
    this.context.assignments.begin({ commit: this.commit, heartbeat: async () => undefined }, [0]);
  }

  fail(): void {
    this.#ended.resolve(new Error('crashed'));
  }

  async run(): Promise<unknown> {
    const reason = await this.#ended.promise;
    this.context.assignments.end();
    return reason;
  }

  async close(): Promise<void> {
    await this.context.assignments.revoke();
    this.#ended.resolve(undefined);
  }
}

function subscribe(): {
  handler: RecordingHandler;
  sessions: FakeSession[];
  subscription: KafkaSubscription;
} {
  const handler = new RecordingHandler();
  const sessions: FakeSession[] = [];
  const subscription = new KafkaSubscription({
    request: toSubscription('orders'),
    handler,
    heartbeatIntervalMs: 1_000,
    createSession: (context) => {
      const session = new FakeSession(context);
      sessions.push(session);
      return session;
    },
  });
  return { handler, sessions, subscription };
}

describe('hooks of a session that has ended', () => {
  it('leave the assignment of the next session alone', async () => {
    const { handler, sessions, subscription } = subscribe();
    sessions[0]?.fail();
    await until(() => expect(sessions).toHaveLength(2));
    const [ended, current] = sessions as [FakeSession, FakeSession];
    await ended.context.assignments.revoke();
    ended.begin();
    ended.context.assignments.end();
    expect(ended.context.assignments.current).toBeUndefined();
    expect(handler.log).toEqual(['assigned 0', 'lost 0', 'assigned 0']);
    await subscription.commit(new Map([[0, 5n]]));
    expect(current.commit).toHaveBeenCalledExactlyOnceWith(new Map([[0, 5n]]));
    expect(ended.commit).not.toHaveBeenCalled();
    await subscription.close();
  });

  it('leave the member id of the next session alone, which starts with the former one', async () => {
    const { sessions, subscription } = subscribe();
    const [first] = sessions as [FakeSession];
    first.context.state.memberId = 'a';
    first.fail();
    await until(() => expect(sessions).toHaveLength(2));
    first.context.state.memberId = undefined;
    expect(sessions[1]?.context.state.memberId).toBe('a');
    await subscription.close();
  });
});
