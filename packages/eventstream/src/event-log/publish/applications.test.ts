import type { Applications, IdempotencyClaim } from '@posthaste/contracts';
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
import { PostgresLog } from '../../drivers/postgres/postgres-log.js';
import { parseTopicRules } from '../../rules/topic-name.js';
import { type PublishOutcome, publishOnce, type SubmittedEvent } from './publish-once.js';

function keyOf(key: string): IdempotencyClaim {
  return { key, bodyHash: new Uint8Array(32) };
}

/** Codes of errors, and whether published events are repeated. */
function resultsOf(outcomes: readonly PublishOutcome[]): unknown[] {
  return outcomes.map((outcome) => ('code' in outcome ? outcome.code : outcome.repeated));
}

describe.each<Engine>(['postgres', 'embedded'])('applications that publish on %s', (engine) => {
  const describeEngine = engine === 'postgres' ? describeWithPostgres : describe;
  describeEngine('a log', () => {
    let test: TestLog;
    let topic = '';
    let topics = 0;
    /** Returns an event of a caller who may use its application only. */
    const submit = (
      input: EventInput & { readonly application: string },
      idempotency?: IdempotencyClaim,
      within: Applications = [input.application],
    ): SubmittedEvent => ({ event: eventOf({ topic, ...input }), within, idempotency });
    const publish = (...events: SubmittedEvent[]) => publishOnce(test, events);

    beforeAll(async () => {
      test = await openTestEventLog(engine);
    });
    beforeEach(() => {
      topics += 1;
      topic = `topic-${topics}`;
    });
    afterAll(() => test.close());

    it('claim ids and keys of their own', async () => {
      const [shop, game, none] = ['shop', 'game', ''].map((application) => ({ application }));
      const outcomes = await publish(
        ...[shop, game, none].flatMap((owner) => [
          submit({
            application: '',
            ...owner,
            id: 'e1',
            payload: { of: owner?.application ?? '' },
          }),
          submit({ application: '', ...owner }, keyOf('k')),
        ]),
      );
      expect(resultsOf(outcomes)).toEqual(Array.from({ length: 6 }, () => false));
      expect(
        resultsOf(
          await publish(
            submit({ application: 'shop', id: 'e1', payload: { of: 'shop' } }),
            submit({ application: 'shop', id: 'e1', payload: { of: 'game' } }),
            submit({ application: 'game' }, keyOf('k')),
          ),
        ),
      ).toEqual([true, 'EVENT_ID_REUSED', true]);
      const { rows } = await test.db.query(
        'select distinct application from event_log.event_claim where topic = $1 order by 1',
        [topic],
      );
      expect(rows).toEqual([{ application: '' }, { application: 'game' }, { application: 'shop' }]);
    });

    it('cannot make a claim that looks like that of another', async () => {
      await publish(submit({ application: 'a' }, keyOf('b')));
      const { rows } = await test.db.query<{ claim: string }>(
        'select claim from event_log.event_claim where topic = $1',
        [topic],
      );
      const claim = rows[0]?.claim ?? '';
      expect(claim).toMatch(/^\n[0-9a-f]{64}$/);
      const outcomes = await publish(
        submit({ application: '' }, keyOf(claim.slice(1))),
        submit({ application: 'a' }, keyOf(claim.slice(1))),
      );
      expect(resultsOf(outcomes)).toEqual([false, false]);
    });

    it('share claims with processes of the version before only under the empty name', async () => {
      await test.db.query(
        `insert into event_log.event_claim (kind, topic, claim, body_hash, event_id)
         values ('key', $1, 'k', $2, 'old') on conflict do nothing`,
        [topic, keyOf('k').bodyHash],
      );
      await test.db.query(
        `update event_log.event_claim set partition = 0, "offset" = 7 where topic = $1`,
        [topic],
      );
      const outcomes = await publish(
        submit({ application: '' }, keyOf('k')),
        submit({ application: 'shop' }, keyOf('k')),
      );
      expect(outcomes).toMatchObject([{ id: 'old', repeated: true }, { repeated: false }]);
    });

    it('do not publish to a topic of another application', async () => {
      const log = new PostgresLog({
        db: test.db,
        topicRules: parseTopicRules([`${topic}-*=shop`]),
      });
      const target = { db: test.db, log };
      const shops = `${topic}-shop`;
      const outcomes = await publishOnce(target, [
        submit({ application: 'game', topic: shops, name: 'refused' }),
        submit({ application: 'shop', topic: shops, name: 'own' }),
        submit({ application: 'game', topic: shops, name: 'all' }, undefined, 'all'),
        submit({ application: 'game', name: 'other' }),
      ]);
      expect(resultsOf(outcomes)).toEqual(['APPLICATION_FORBIDDEN', false, false, false]);
      expect(outcomes[0]).toMatchObject({
        message: `topic '${shops}' belongs to another application`,
      });
      expect(await namesIn(test, shops)).toEqual(['own', 'all']);
      await log.close();
    });

    it('are not told by the limit of topics which topics of others exist', async () => {
      const [mine, others, missing] = [`${topic}-mine`, `${topic}-others`, `${topic}-missing`];
      await publish(submit({ application: 'shop', topic: mine }));
      await publish(submit({ application: 'game', topic: others }));
      const maxTopics = await test.log.countTopics();
      const outcomes = await publishOnce({ ...test, maxTopics }, [
        submit({ application: 'shop', topic: mine }),
        submit({ application: 'shop', topic: others }),
        submit({ application: 'shop', topic: missing }),
        submit({ application: 'shop', topic: others }, undefined, 'all'),
      ]);
      const limit = 'TOPIC_LIMIT_REACHED';
      expect(resultsOf(outcomes)).toEqual([false, limit, limit, false]);
      const [, ofOthers, ofMissing] = outcomes.map((each) => 'message' in each && each.message);
      expect(String(ofOthers).replace('others', 'missing')).toBe(ofMissing);
    });

    it('have half of all topics at most, unless they are published to by callers for all', async () => {
      const application = `app-of-${topic}`;
      const maxTopics = 2 * ((await test.log.countTopics()) + 10);
      const share = maxTopics / 2;
      const names = Array.from({ length: share + 1 }, (_, n) => `${topic}-${n}`);
      const first = names.slice(0, share - 1);
      const publishTo = (all: readonly string[], within?: Applications) =>
        publishOnce(
          { ...test, maxTopics },
          all.map((name) => submit({ application, topic: name }, undefined, within)),
        );
      await publishTo(first);
      const limit = 'TOPIC_LIMIT_REACHED';
      expect(resultsOf(await publishTo(names)).slice(-2)).toEqual([false, limit]);
      expect(resultsOf(await publishTo(names)).slice(-2)).toEqual([false, limit]);
      const other = submit({ application: 'other', topic: `${topic}-other` });
      expect(resultsOf(await publishOnce({ ...test, maxTopics }, [other]))).toEqual([false]);
      expect(resultsOf(await publishTo(names.slice(-1), 'all'))).toEqual([false]);
    });
  });
});
