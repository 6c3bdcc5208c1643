import { type IdempotencyClaim, idempotencyKeyReused, PlatformError } from '@posthaste/contracts';
import type { PostgresLog } from '@posthaste/eventstream';
import type { Database, Transaction } from '@posthaste/postgres';
import {
  type ClaimedPlace,
  dropClaims,
  type EventClaim,
  type FirstClaim,
  findFirstClaims,
  makeClaims,
  settleClaims,
} from './event-claim-store.js';
import type { EventToPublish } from './event-to-publish.js';
import { findRefusedTopics, topicRefused } from './topic-limit.js';

/** An event that is handed in, with the Idempotency-Key that came with it. */
export interface HandedInEvent {
  readonly event: EventToPublish;
  readonly idempotency: IdempotencyClaim | undefined;
}

/** Where an event stands in the log. */
export interface PublishedEvent {
  readonly id: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  /** It had been published before: nothing was appended now. */
  readonly repeated: boolean;
}

/** An event with the claims that it makes. */
interface Candidate {
  readonly event: EventToPublish;
  readonly keyClaim: EventClaim | undefined;
  readonly idClaim: EventClaim | undefined;
}

/** Where events are published. */
export interface PublishTarget {
  /** Has `eventstreamMigrations` and `gatewayMigrations`. */
  readonly db: Database;
  readonly log: PostgresLog;
  /** Topics that there may be before no more are made. */
  readonly maxTopics: number;
}

/**
 * `IDEMPOTENCY_KEY_REUSED`, `EVENT_ID_REUSED` or `TOPIC_LIMIT_REACHED` of one event does not keep back
 * the others.
 */
export type PublishOutcome = PublishedEvent | PlatformError;

/**
 * Appends events to the log, each once, in the order given and in one transaction: committed when it
 * resolves. What comes again under the same Idempotency-Key, or in the same topic from the same source
 * (namespace) under the same id, is answered with where it stands; refused when it says something else.
 * @throws PlatformError `DATABASE_*`: nothing was stored, or nobody knows
 */
export async function publishOnce(
  { db, log, maxTopics }: PublishTarget,
  events: readonly HandedInEvent[],
): Promise<readonly PublishOutcome[]> {
  const topics = events.map(({ event }) => event.topic);
  const refused = await findRefusedTopics(log, topics, maxTopics);
  const candidates = events.filter(({ event }) => !refused.has(event.topic)).map(toCandidate);
  const outcomes =
    candidates.length > 0 ? await db.transaction((tx) => publishIn(tx, log, candidates)) : [];
  // After the commit, and not with it: Postgres lets transactions that notify commit one by one.
  for (const topic of new Set(outcomes.flatMap(appendedTopic))) log.hint(topic);
  const settled = outcomes.values();
  return topics.flatMap((topic) =>
    refused.has(topic) ? topicRefused(topic, maxTopics) : (settled.next().value ?? []),
  );
}

async function publishIn(
  tx: Transaction,
  log: PostgresLog,
  candidates: readonly Candidate[],
): Promise<PublishOutcome[]> {
  const byKey = await makeOrLose(tx, candidates, ({ keyClaim }) => keyClaim);
  // Keys before ids: an event that its key refuses must not claim its id.
  const others = candidates.filter((candidate) => !byKey.has(candidate));
  const byId = await makeOrLose(tx, others, ({ idClaim }) => idClaim);
  const fresh = others.filter((candidate) => !byId.has(candidate));
  const places = await append(tx, log, fresh);
  await settle(tx, fresh, places, ({ keyClaim, idClaim }) => [keyClaim, idClaim]);
  const firstOfId = await findFirsts(tx, byId);
  // The keys of what came again under its id; from now on they stand for the first one too.
  const again = [...byId.keys()].filter((candidate) => firstOfId.get(candidate)?.sameBody);
  await settle(tx, again, placesOf(firstOfId), ({ keyClaim }) => [keyClaim]);
  const firstOfKey = await findFirsts(tx, byKey);
  // What is refused leaves nothing behind: its key may come again with an id of its own.
  const refused = [...byId.keys()].filter((candidate) => !firstOfId.get(candidate)?.sameBody);
  await dropClaims(
    tx,
    refused.flatMap(({ keyClaim }) => keyClaim ?? []),
  );
  return candidates.map((candidate) => {
    const [ofKey, ofId] = [firstOfKey.get(candidate), firstOfId.get(candidate)];
    const first = ofKey ?? ofId;
    const place = first ? first.place : places.get(candidate);
    return refusalOf(ofKey, ofId) ?? toPublished(candidate, place, first);
  });
}

async function append(
  tx: Transaction,
  log: PostgresLog,
  candidates: readonly Candidate[],
): Promise<Places> {
  const records = candidates.map(({ event: { topic, key, value, headers } }) => {
    return { topic, key, value, headers };
  });
  // Nothing else in the transaction is what the order of a key could depend on.
  const appended = await log.append(tx, records, { keyOrder: 'append', notify: false });
  return new Map(
    candidates.flatMap((candidate, i) => {
      const place = appended[i];
      return place ? [[candidate, place] as const] : [];
    }),
  );
}

function toCandidate({ event, idempotency }: HandedInEvent): Candidate {
  const { topic, id: eventId, source, contentHash } = event;
  return {
    event,
    keyClaim: idempotency && {
      kind: 'key',
      topic,
      eventId,
      claim: idempotency.key,
      bodyHash: idempotency.bodyHash,
    },
    idClaim: contentHash && {
      kind: 'id',
      topic,
      eventId,
      claim: `${source}\n${eventId}`,
      bodyHash: contentHash,
    },
  };
}

/** Makes the claims of these events; gives those whose claim somebody had made before, with it. */
async function makeOrLose(
  tx: Transaction,
  candidates: readonly Candidate[],
  claimOf: (candidate: Candidate) => EventClaim | undefined,
): Promise<ReadonlyMap<Candidate, EventClaim>> {
  const made = await makeClaims(
    tx,
    candidates.flatMap((candidate) => claimOf(candidate) ?? []),
  );
  return new Map(
    candidates.flatMap((candidate) => {
      const claim = claimOf(candidate);
      return claim && !made.has(claim) ? [[candidate, claim] as const] : [];
    }),
  );
}

/** What the claims were made for that these events lost against. */
async function findFirsts(
  tx: Transaction,
  lost: ReadonlyMap<Candidate, EventClaim>,
): Promise<ReadonlyMap<Candidate, FirstClaim>> {
  const found = await findFirstClaims(tx, [...lost.values()]);
  return new Map(
    [...lost].map(([candidate, claim]) => {
      const first = found.get(claim);
      if (first) return [candidate, first];
      throw new PlatformError('DATABASE_CONFLICT', 'the first event was forgotten at this moment');
    }),
  );
}

type Places = ReadonlyMap<Candidate, ClaimedPlace>;

/** Notes in the claims of these events where the events are. */
async function settle(
  tx: Transaction,
  candidates: readonly Candidate[],
  places: Places,
  claimsOf: (candidate: Candidate) => readonly (EventClaim | undefined)[],
): Promise<void> {
  const settled = candidates.flatMap((candidate) => {
    const place = places.get(candidate);
    return claimsOf(candidate).flatMap((claim) =>
      claim && place ? [[claim, place] as const] : [],
    );
  });
  await settleClaims(tx, settled);
}

function placesOf(firsts: ReadonlyMap<Candidate, FirstClaim>): Places {
  return new Map(
    [...firsts].flatMap(([candidate, { place }]) => (place ? [[candidate, place] as const] : [])),
  );
}

/** Why an event is not published, if it is not: another one has its key or its id. */
function refusalOf(
  firstOfKey: FirstClaim | undefined,
  firstOfId: FirstClaim | undefined,
): PlatformError | undefined {
  if (firstOfKey?.sameBody === false) return idempotencyKeyReused('topic');
  // A key without a place: the same request beside this one was refused for its id.
  const isReused = firstOfId?.sameBody === false || (firstOfKey && !firstOfKey.place);
  const id = (firstOfId ?? firstOfKey)?.eventId;
  if (!isReused) return undefined;
  const message = `another event was published under the id ${id} in this topic by the same source`;
  return new PlatformError('EVENT_ID_REUSED', message);
}

function toPublished(
  { event }: Candidate,
  place: ClaimedPlace | undefined,
  first: FirstClaim | undefined,
): PublishOutcome {
  if (!place) return new PlatformError('INTERNAL', 'an event was neither appended nor known');
  const { topic, id } = event;
  const { partition, offset } = place;
  return { id: first?.eventId ?? id, topic, partition, offset, repeated: first !== undefined };
}

function appendedTopic(outcome: PublishOutcome): string[] {
  return outcome instanceof PlatformError || outcome.repeated ? [] : [outcome.topic];
}
