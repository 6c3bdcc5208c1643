import { hash } from 'node:crypto';
import type { Queryable, Statement } from '@posthaste/postgres';

/**
 * Claim on a name that an event can be published under only once: an Idempotency-Key (`key`), or
 * the id that its publisher gave it (`id`). Claims belong to an application and a topic. They are
 * stored in the transaction that appends the event, and deleted after the retention.
 */
export interface PublishClaim {
  readonly kind: 'key' | 'id';
  readonly application: string;
  readonly topic: string;
  /** See `toClaim`. */
  readonly claim: string;
  /** SHA-256 of the request's body (`key`), or of the event's content (`id`). */
  readonly bodyHash: Uint8Array;
  readonly eventId: string;
}

/** Position of a record within its topic. */
export interface LogPosition {
  readonly partition: number;
  readonly offset: bigint;
}

/**
 * Returns the text of a claim: that of the key, or of source and id. Claims of other applications
 * than the one with the empty name hold the application as well, hashed with the text. So the primary
 * key of the table, `(kind, topic, claim)`, keeps applications apart. It could not be given another
 * column without an index over all claims of a day being built while publishers wait; and processes
 * of the version before, which know no applications, claim as the empty name does.
 *
 * No other text begins with a line feed: keys have none, and sources are not empty.
 */
export function toClaim(application: string, text: string): string {
  return application === '' ? text : `\n${hash('sha256', `${application}\n${text}`, 'hex')}`;
}

const insertStatement: Statement = {
  name: 'event_log_claim_insert',
  text: `
insert into event_log.event_claim (kind, topic, claim, body_hash, event_id, application)
select c.kind, c.topic, c.claim, c.body_hash, c.event_id, c.application
from unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::text[], $6::text[])
  with ordinality as c(kind, topic, claim, body_hash, event_id, application, n)
order by c.kind, c.topic, c.claim, c.n
on conflict do nothing
returning kind, topic, claim`,
};

/**
 * Inserts claims and returns those that did not exist before; of equal claims in the list, the
 * first. Waits for another transaction that is inserting the same claim. All transactions insert in
 * the same order, so that two of them cannot deadlock. Index: `event_claim_pkey`.
 */
export async function insertClaims(
  tx: Queryable,
  claims: readonly PublishClaim[],
): Promise<ReadonlySet<PublishClaim>> {
  if (claims.length === 0) return new Set();
  const { rows } = await tx.query<ClaimName>(insertStatement, [
    ...nameColumns(claims),
    claims.map(({ bodyHash }) => bodyHash),
    claims.map(({ eventId }) => eventId),
    claims.map(({ application }) => application),
  ]);
  const inserted = new Set(rows.map(toNameKey));
  // The first claim of each name removes the name, so that later equal claims are not returned.
  return new Set(claims.filter((claim) => inserted.delete(toNameKey(claim))));
}

/** Claim with the position of its event. */
export interface PositionedClaim {
  readonly claim: PublishClaim;
  readonly position: LogPosition;
}

const setPositionStatement: Statement = {
  name: 'event_log_claim_set_position',
  text: `
update event_log.event_claim e set partition = c.partition, "offset" = c.position
from unnest($1::text[], $2::text[], $3::text[], $4::integer[], $5::bigint[])
  as c(kind, topic, claim, partition, position)
where e.kind = c.kind and e.topic = c.topic and e.claim = c.claim`,
};

/** Stores the positions of events in claims that this transaction has inserted. */
export async function setClaimPositions(
  tx: Queryable,
  positioned: readonly PositionedClaim[],
): Promise<void> {
  if (positioned.length === 0) return;
  await tx.query(setPositionStatement, [
    ...nameColumns(positioned.map(({ claim }) => claim)),
    positioned.map(({ position }) => position.partition),
    positioned.map(({ position }) => position.offset),
  ]);
}

const findStatement: Statement = {
  name: 'event_log_claim_find',
  text: `
select c.n, e.event_id, e.partition, e."offset", e.body_hash = c.body_hash as same_body
from unnest($1::text[], $2::text[], $3::text[], $4::bytea[])
  with ordinality as c(kind, topic, claim, body_hash, n)
join event_log.event_claim e on e.kind = c.kind and e.topic = c.topic and e.claim = c.claim`,
};

/** Claim that was made before under the same name. */
export interface EarlierClaim {
  readonly eventId: string;
  /** Position of the event; `undefined` until it is appended. */
  readonly position: LogPosition | undefined;
  /** True if the earlier claim has the same hash. */
  readonly sameBody: boolean;
}

interface EarlierClaimRow {
  readonly n: bigint;
  readonly event_id: string;
  readonly partition: number | null;
  readonly offset: bigint | null;
  /** Null for claims of ids of earlier versions, which have no hash. */
  readonly same_body: boolean | null;
}

/**
 * Returns for each claim the first claim that was stored under its name. Index: `event_claim_pkey`.
 */
export async function findEarlierClaims(
  tx: Queryable,
  claims: readonly PublishClaim[],
): Promise<ReadonlyMap<PublishClaim, EarlierClaim>> {
  const found = new Map<PublishClaim, EarlierClaim>();
  if (claims.length === 0) return found;
  const { rows } = await tx.query<EarlierClaimRow>(findStatement, [
    ...nameColumns(claims),
    claims.map(({ bodyHash }) => bodyHash),
  ]);
  for (const { n, event_id: eventId, partition, offset, same_body } of rows) {
    const claim = claims[Number(n) - 1];
    if (!claim) continue;
    const position = partition === null || offset === null ? undefined : { partition, offset };
    found.set(claim, { eventId, position, sameBody: same_body !== false });
  }
  return found;
}

const deleteStatement: Statement = {
  name: 'event_log_claim_delete',
  text: `
delete from event_log.event_claim e
using unnest($1::text[], $2::text[], $3::text[]) as c(kind, topic, claim)
where e.kind = c.kind and e.topic = c.topic and e.claim = c.claim`,
};

/** Deletes claims that this transaction has inserted. Index: `event_claim_pkey`. */
export async function deleteClaims(tx: Queryable, claims: readonly PublishClaim[]): Promise<void> {
  if (claims.length === 0) return;
  await tx.query(deleteStatement, nameColumns(claims));
}

/**
 * Deletes claims that are older than the retention, the oldest first. Index:
 * `event_claim_created_at`.
 * @returns the number of deleted claims
 */
export async function forgetClaims(
  db: Queryable,
  { retentionMs, maxRows }: { readonly retentionMs: number; readonly maxRows: number },
): Promise<number> {
  const { rowCount } = await db.query(
    `with old as (
       select kind, topic, claim from event_log.event_claim
       where created_at < now() - $1::float8 * interval '1 ms'
       order by created_at limit $2
       for update skip locked
     )
     delete from event_log.event_claim e using old
     where e.kind = old.kind and e.topic = old.topic and e.claim = old.claim`,
    [retentionMs, maxRows],
  );
  return rowCount;
}

type ClaimName = Pick<PublishClaim, 'kind' | 'topic' | 'claim'>;

function nameColumns(claims: readonly ClaimName[]): string[][] {
  return [
    claims.map(({ kind }) => kind),
    claims.map(({ topic }) => topic),
    claims.map(({ claim }) => claim),
  ];
}

function toNameKey({ kind, topic, claim }: ClaimName): string {
  return `${kind}\0${topic}\0${claim}`;
}
