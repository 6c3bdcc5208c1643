import type { IdempotencyClaim } from '@posthaste/contracts';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  type Engine,
  type EventInput,
  eventOf,
  namesIn,
  openTestEventLog,
} from '../../../test/open-event-log.js';
import type { TestLog } from '../../../test/open-log.js';
import { type PublishOutcome, publishOnce, type SubmittedEvent } from './publish-once.js';

function keyOf(key: string, body = 0): IdempotencyClaim {
  return { key, bodyHash: new Uint8Array(32).fill(body) };
}

/** Codes of errors, and whether published events are repeated. */
function resultsOf(outcomes: readonly PublishOutcome[]): unknown[] {
  return outcomes.map((outcome) => ('code' in outcome ? outcome.code : outcome.repeated));
}

describe.each<Engine>(['postgres', 'embedded'])('publishing once on %s', (engine) => {
  const describeEngine = engine === 'postgres' ? describeWithPostgres : describe;
  describeEngine('a log', () => {
    let test: TestLog;
    let topic = '';
    let topics = 0;
    const submit = (input: EventInput, idempotency?: IdempotencyClaim): SubmittedEvent => ({
      event: eventOf({ topic, ...input }),
      within: 'all',
      idempotency,
    });
    const publish = (...events: SubmittedEvent[]) => publishOnce(test, events);
    const countClaims = async (): Promise<number> =>
      (await test.db.query('select from event_log.event_claim where topic = $1', [topic])).rowCount;

    beforeAll(async () => {
      test = await openTestEventLog(engine);
    });
    beforeEach(() => {
      topics += 1;
      topic = `topic-${topics}`;
    });
    afterAll(() => test.close());

    it('appends events in the order given, and returns their positions', async () => {
      const outcomes = await publish(submit({ name: 'a' }), submit({ name: 'b' }));
      expect(outcomes).toMatchObject([
        { topic, partition: 0, offset: 0n, repeated: false },
        { topic, partition: 0, offset: 1n, repeated: false },
      ]);
      expect(await namesIn(test, topic)).toEqual(['a', 'b']);
      expect(await countClaims()).toBe(0);
    });

    it('returns the first position for a repetition under the same key or id', async () => {
      const [first] = await publish(submit({ id: 'e1' }, keyOf('k')));
      const again = await publish(
        submit({ id: 'e1' }),
        submit({ id: 'other' }, keyOf('k')),
        submit({ id: 'e1' }, keyOf('k2')),
      );
      expect(again).toEqual(again.map(() => ({ ...first, repeated: true })));
      // From now on the second key stands for the first event too.
      expect(await publish(submit({ id: 'e3' }, keyOf('k2')))).toEqual([
        { ...first, repeated: true },
      ]);
      expect(await namesIn(test, topic)).toHaveLength(1);
    });

    it('recognizes repetitions within one list', async () => {
      const outcomes = await publish(
        submit({ id: 'e1', name: 'a' }),
        submit({ id: 'e1', name: 'a' }),
        submit({ id: 'e1', name: 'b' }),
        submit({ id: 'e2' }, keyOf('k')),
        submit({ id: 'e3' }, keyOf('k', 1)),
      );
      expect(resultsOf(outcomes)).toEqual([
        false,
        true,
        'EVENT_ID_REUSED',
        false,
        'IDEMPOTENCY_KEY_REUSED',
      ]);
    });

    it('keeps no claim of an event that is refused', async () => {
      await publish(submit({ id: 'e1', name: 'a' }), submit({}, keyOf('used')));
      const before = await countClaims();
      const outcomes = await publish(
        submit({ id: 'e1', name: 'b' }, keyOf('k')),
        submit({ id: 'e1', name: 'b' }, keyOf('k')),
        submit({ id: 'e2' }, keyOf('used', 1)),
      );
      expect(resultsOf(outcomes)).toEqual([
        'EVENT_ID_REUSED',
        'EVENT_ID_REUSED',
        'IDEMPOTENCY_KEY_REUSED',
      ]);
      expect(await countClaims()).toBe(before);
      expect(resultsOf(await publish(submit({ id: 'e2' }, keyOf('k'))))).toEqual([false]);
    });

    it('separates topics and sources', async () => {
      await publish(submit({ id: 'e1', namespace: 'shop' }));
      const outcomes = await publish(
        submit({ id: 'e1', namespace: 'game' }),
        submit({ id: 'e1', namespace: 'shop', topic: `${topic}-other` }),
      );
      expect(resultsOf(outcomes)).toEqual([false, false]);
    });

    it('publishes an event once, however many publish it at the same time', async () => {
      const runs = await Promise.all(
        Array.from({ length: 8 }, (_, i) => publish(submit({ id: 'e1' }, keyOf(`k${i}`)))),
      );
      expect(runs.flatMap(resultsOf).filter((repeated) => repeated === false)).toHaveLength(1);
      expect(new Set(runs.flat().map((each) => 'offset' in each && each.offset)).size).toBe(1);
      expect(await namesIn(test, topic)).toHaveLength(1);
    });

    it('stores neither event nor claim when the transaction fails', async () => {
      const good = submit({ id: 'e1' }, keyOf('k'));
      const event = { ...eventOf({ topic, id: 'e2' }), topic: 'x'.repeat(300) };
      const broken: SubmittedEvent = { event, within: 'all' };
      await expect(publish(good, broken)).rejects.toMatchObject({ code: 'EVENT_INVALID' });
      expect(await countClaims()).toBe(0);
      expect(resultsOf(await publish(good))).toEqual([false]);
    });

    it('repeats an id whose claim, of an earlier version, has no hash', async () => {
      await publish(submit({ id: 'e1', name: 'a' }));
      await test.db.query('update event_log.event_claim set body_hash = null where topic = $1', [
        topic,
      ]);
      expect(resultsOf(await publish(submit({ id: 'e1', name: 'b' })))).toEqual([true]);
    });

    it('creates topics up to maxTopics', async () => {
      await publish(submit({}));
      const maxTopics = (await test.log.countTopics()) + 1;
      const [one, two] = [`${topic}-one`, `${topic}-two`];
      const outcomes = await publishOnce({ ...test, maxTopics }, [
        submit({}),
        submit({ topic: one }),
        submit({ topic: two }),
        submit({ topic: one }),
      ]);
      expect(resultsOf(outcomes)).toEqual([false, false, 'TOPIC_LIMIT_REACHED', false]);
      expect(await test.log.findMissingTopics([one, two])).toEqual([two]);
    });
  });
});
