import { hash } from 'node:crypto';
import {
  type Applications,
  type IdempotencyClaim,
  idempotencyKeyReused,
  PlatformError,
} from '@posthaste/contracts';
import type { Database, Transaction } from '@posthaste/postgres';
import type { PostgresLog } from '../../drivers/postgres/postgres-log.js';
import type { EventToPublish } from './event-to-publish.js';
import {
  deleteClaims,
  type EarlierClaim,
  findEarlierClaims,
  insertClaims,
  type LogPosition,
  type PositionedClaim,
  type PublishClaim,
  setClaimPositions,
  toClaim,
} from './publish-claim-store.js';
import { findRefused } from './refused-topics.js';

/** Most UTF-16 units of a claim that is stored as it is; each takes up to three bytes. */
const maxClaimLength = 640;

/** Event to publish, with the Idempotency-Key of its request. */
export interface SubmittedEvent {
  readonly event: EventToPublish;
  /** Applications that the publisher may see: they decide which topics it may publish to. */
  readonly within: Applications;
  /** Unique within the application and the topic. Default: none. */
  readonly idempotency?: IdempotencyClaim | undefined;
}

/** Event in the log. */
export interface PublishedEvent extends LogPosition {
  readonly id: string;
  readonly topic: string;
  /** True if the event had been published before: nothing was appended now. */
  readonly repeated: boolean;
}

/** Log that events are published to. */
export interface PublishTarget {
  /** Database with `eventstreamMigrations` and `eventLogMigrations` applied. */
  readonly db: Database;
  readonly log: PostgresLog;
  /** Number of topics from which on no further ones are created. Default: no limit. */
  readonly maxTopics?: number | undefined;
}

/**
 * Result of one event. An error is `IDEMPOTENCY_KEY_REUSED`, `EVENT_ID_REUSED`,
 * `APPLICATION_FORBIDDEN` for the topic of another application, or `TOPIC_LIMIT_REACHED`; the other
 * events are still published.
 */
export type PublishOutcome = PublishedEvent | PlatformError;

/** Event with the claims that must be free for it to be appended. */
interface ClaimingEvent {
  readonly event: EventToPublish;
  readonly keyClaim: PublishClaim | undefined;
  readonly idClaim: PublishClaim | undefined;
}

/**
 * Appends events to the log, each once, in the order given and in one transaction, which is
 * committed when the promise resolves. An event is a repetition if its topic has an earlier one of
 * the same application with the same Idempotency-Key, or with the same id from the same source: it gets the position of the
 * earlier one, or an error if it has another body or content.
 * @returns the outcomes, in the order given
 * @throws PlatformError `DATABASE_*`: nothing was stored, or the outcome is unknown
 */
export async function publishOnce(
  { db, log, maxTopics = Number.POSITIVE_INFINITY }: PublishTarget,
  submitted: readonly SubmittedEvent[],
): Promise<readonly PublishOutcome[]> {
  const refused = await findRefused(log, submitted, maxTopics);
  const events = submitted.filter((each) => !refused.has(each)).map(toClaimingEvent);
  const outcomes =
    events.length > 0 ? await db.transaction((tx) => publishInTransaction(tx, log, events)) : [];
  // After the commit, not within the transaction: Postgres commits transactions with NOTIFY one by one.
  for (const topic of new Set(outcomes.flatMap(appendedTopic))) log.hint(topic);
  const remaining = outcomes.values();
  return submitted.flatMap((each) => refused.get(each) ?? remaining.next().value ?? []);
}

async function publishInTransaction(
  tx: Transaction,
  log: PostgresLog,
  events: readonly ClaimingEvent[],
): Promise<PublishOutcome[]> {
  const takenKeys = await insertOrFindTaken(tx, events, ({ keyClaim }) => keyClaim);
  // Keys before ids: an event that is refused for its key must not claim its id.
  const others = events.filter((event) => !takenKeys.has(event));
  const takenIds = await insertOrFindTaken(tx, others, ({ idClaim }) => idClaim);
  const fresh = others.filter((event) => !takenIds.has(event));
  const positions = await append(tx, log, fresh);
  await setClaimPositions(
    tx,
    fresh.flatMap((event) => toPositioned(positions.get(event), [event.keyClaim, event.idClaim])),
  );
  const earlierOfId = await findEarlier(tx, takenIds);
  await setClaimPositions(tx, [...earlierOfId].flatMap(toRepeatedKey));
  const earlierOfKey = await findEarlier(tx, takenKeys);
  // Last: an event with the same key, in this list, must have found the key above.
  await deleteClaims(tx, [...earlierOfId].flatMap(toRefusedKey));
  return events.map((event) => {
    const [ofKey, ofId] = [earlierOfKey.get(event), earlierOfId.get(event)];
    const earlier = ofKey ?? ofId;
    const position = earlier ? earlier.position : positions.get(event);
    return refusalOf(ofKey, ofId) ?? toPublished(event, position, earlier);
  });
}

function toClaimingEvent({ event, idempotency }: SubmittedEvent): ClaimingEvent {
  const { application, topic, id: eventId, source, contentHash } = event;
  const owner = { application, topic, eventId };
  return {
    event,
    keyClaim: idempotency && {
      kind: 'key',
      ...owner,
      claim: toClaim(application, idempotency.key),
      bodyHash: idempotency.bodyHash,
    },
    idClaim: contentHash && {
      kind: 'id',
      ...owner,
      claim: toClaim(application, toIdClaim(source, eventId)),
      bodyHash: contentHash,
    },
  };
}

/**
 * Returns the claim of an id within its source. A long one is hashed, because an index holds no more
 * than 2,704 bytes of a row. The hash cannot be a claim of another event: it has no line feed.
 */
function toIdClaim(source: string, id: string): string {
  const claim = `${source}\n${id}`;
  return claim.length <= maxClaimLength ? claim : hash('sha256', claim, 'hex');
}

/** Inserts one claim of each event. Returns the events whose claim was taken, with that claim. */
async function insertOrFindTaken(
  tx: Transaction,
  events: readonly ClaimingEvent[],
  claimOf: (event: ClaimingEvent) => PublishClaim | undefined,
): Promise<ReadonlyMap<ClaimingEvent, PublishClaim>> {
  const inserted = await insertClaims(
    tx,
    events.flatMap((event) => claimOf(event) ?? []),
  );
  return new Map(
    events.flatMap((event) => {
      const claim = claimOf(event);
      return claim && !inserted.has(claim) ? [[event, claim] as const] : [];
    }),
  );
}

async function append(
  tx: Transaction,
  log: PostgresLog,
  events: readonly ClaimingEvent[],
): Promise<ReadonlyMap<ClaimingEvent, LogPosition>> {
  const records = events.map(({ event: { topic, application, key, value, headers } }) => {
    return { topic, application, key, value, headers };
  });
  // `keyOrder: 'append'`: the order of a key depends on nothing else in this transaction.
  const appended = await log.append(tx, records, { keyOrder: 'append', notify: false });
  return new Map(
    events.flatMap((event, i) => {
      const position = appended[i];
      return position ? [[event, position] as const] : [];
    }),
  );
}

/** Returns the earlier claims that these events lost against. */
async function findEarlier(
  tx: Transaction,
  taken: ReadonlyMap<ClaimingEvent, PublishClaim>,
): Promise<ReadonlyMap<ClaimingEvent, EarlierClaim>> {
  const found = await findEarlierClaims(tx, [...taken.values()]);
  return new Map(
    [...taken].map(([event, claim]) => {
      const earlier = found.get(claim);
      if (earlier) return [event, earlier];
      const message = 'the claim of the earlier event was deleted at this moment; publish it again';
      throw new PlatformError('DATABASE_CONFLICT', message);
    }),
  );
}

/** Returns the key of a repeated event, with the position of the earlier event. */
function toRepeatedKey([{ keyClaim }, earlier]: readonly [
  ClaimingEvent,
  EarlierClaim,
]): PositionedClaim[] {
  return earlier.sameBody ? toPositioned(earlier.position, [keyClaim]) : [];
}

/**
 * Returns the key of an event that is refused for its id, so that it can be used with another id.
 */
function toRefusedKey([{ keyClaim }, earlier]: readonly [
  ClaimingEvent,
  EarlierClaim,
]): PublishClaim[] {
  return keyClaim && !earlier.sameBody ? [keyClaim] : [];
}

function toPositioned(
  position: LogPosition | undefined,
  claims: readonly (PublishClaim | undefined)[],
): PositionedClaim[] {
  if (!position) return [];
  return claims.flatMap((claim) => (claim ? { claim, position } : []));
}

/** Returns the error of an event whose key or id belongs to another event, else `undefined`. */
function refusalOf(
  earlierOfKey: EarlierClaim | undefined,
  earlierOfId: EarlierClaim | undefined,
): PlatformError | undefined {
  if (earlierOfKey?.sameBody === false) return idempotencyKeyReused('topic');
  // A key without a position: an equal request at the same time was refused because of its id.
  const isReused = earlierOfId?.sameBody === false || (earlierOfKey && !earlierOfKey.position);
  if (!isReused) return undefined;
  const id = (earlierOfId ?? earlierOfKey)?.eventId;
  const message = `another event was published under the id '${id}' in this topic by the same source`;
  return new PlatformError('EVENT_ID_REUSED', message);
}

function toPublished(
  { event: { id, topic } }: ClaimingEvent,
  position: LogPosition | undefined,
  earlier: EarlierClaim | undefined,
): PublishOutcome {
  if (!position) return new PlatformError('INTERNAL', `event '${id}' has no position in the log`);
  const { partition, offset } = position;
  const repeated = earlier !== undefined;
  return { id: earlier?.eventId ?? id, topic, partition, offset, repeated };
}

function appendedTopic(outcome: PublishOutcome): string[] {
  return outcome instanceof PlatformError || outcome.repeated ? [] : [outcome.topic];
}
