import type { Queryable, Statement } from '@posthaste/postgres';

/**
 * Claims say that an event was published, so that it is not published again: under an
 * Idempotency-Key (`key`), or under the id that its publisher gave it (`id`). They belong to a
 * topic, are stored in the transaction that appends the event, and are forgotten after a while.
 */
export type ClaimKind = 'key' | 'id';

export interface EventClaim {
  readonly kind: ClaimKind;
  readonly topic: string;
  readonly claim: string;
  /** SHA-256 of the body that came with an Idempotency-Key, or of what the event says. */
  readonly bodyHash: Uint8Array;
  readonly eventId: string;
}

/** Where the event of a claim is. */
export interface ClaimedPlace {
  readonly partition: number;
  readonly offset: bigint;
}

const claimStatement: Statement = {
  name: 'gateway_event_claim',
  text: `
insert into gateway.event_claim (kind, topic, claim, body_hash, event_id)
select c.kind, c.topic, c.claim, c.body_hash, c.event_id
from unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::text[])
  with ordinality as c(kind, topic, claim, body_hash, event_id, n)
order by c.kind, c.topic, c.claim, c.n
on conflict do nothing
returning kind, topic, claim`,
};

/**
 * Makes claims; gives those that nobody had made. Of equal ones the first counts. Where another
 * transaction is making the same claim this waits for its end. Taken in one order, so that two
 * transactions do not wait for each other. Index: `event_claim_pkey`.
 */
export async function makeClaims(
  tx: Queryable,
  claims: readonly EventClaim[],
): Promise<ReadonlySet<EventClaim>> {
  if (claims.length === 0) return new Set();
  const { rows } = await tx.query<Pick<EventClaim, 'kind' | 'topic' | 'claim'>>(claimStatement, [
    ...nameColumns(claims),
    claims.map(({ bodyHash }) => bodyHash),
    claims.map(({ eventId }) => eventId),
  ]);
  const made = new Set(rows.map(nameOf));
  // Each name is taken out by the first that has it.
  return new Set(claims.filter((claim) => made.delete(nameOf(claim))));
}

const settleStatement: Statement = {
  name: 'gateway_event_claim_settle',
  text: `
update gateway.event_claim e set partition = c.partition, "offset" = c.place
from unnest($1::text[], $2::text[], $3::text[], $4::integer[], $5::bigint[])
  as c(kind, topic, claim, partition, place)
where e.kind = c.kind and e.topic = c.topic and e.claim = c.claim`,
};

/** Notes where the events of claims are that this transaction has made. */
export async function settleClaims(
  tx: Queryable,
  settled: readonly (readonly [EventClaim, ClaimedPlace])[],
): Promise<void> {
  if (settled.length === 0) return;
  await tx.query(settleStatement, [
    ...nameColumns(settled.map(([claim]) => claim)),
    settled.map(([, { partition }]) => partition),
    settled.map(([, { offset }]) => offset),
  ]);
}

const dropStatement: Statement = {
  name: 'gateway_event_claim_drop',
  text: `
delete from gateway.event_claim e
using unnest($1::text[], $2::text[], $3::text[]) as c(kind, topic, claim)
where e.kind = c.kind and e.topic = c.topic and e.claim = c.claim`,
};

const findStatement: Statement = {
  name: 'gateway_event_claim_find',
  text: `
select c.n, e.event_id, e.partition, e."offset", e.body_hash = c.body_hash as same_body
from unnest($1::text[], $2::text[], $3::text[], $4::bytea[])
  with ordinality as c(kind, topic, claim, body_hash, n)
join gateway.event_claim e on e.kind = c.kind and e.topic = c.topic and e.claim = c.claim`,
};

/** The event that a claim was first made for. */
export interface FirstClaim {
  readonly eventId: string;
  /** None before its claim is settled. */
  readonly place: ClaimedPlace | undefined;
  /** Whether the same came with it. */
  readonly sameBody: boolean;
}

interface FirstClaimRow {
  readonly n: bigint;
  readonly event_id: string;
  readonly partition: number | null;
  readonly offset: bigint | null;
  /** Null for claims of ids of earlier versions, which remember no hash. */
  readonly same_body: boolean | null;
}

/** What these claims were first made for. Index: `event_claim_pkey`. */
export async function findFirstClaims(
  tx: Queryable,
  claims: readonly EventClaim[],
): Promise<ReadonlyMap<EventClaim, FirstClaim>> {
  const found = new Map<EventClaim, FirstClaim>();
  if (claims.length === 0) return found;
  const { rows } = await tx.query<FirstClaimRow>(findStatement, [
    ...nameColumns(claims),
    claims.map(({ bodyHash }) => bodyHash),
  ]);
  for (const { n, event_id: eventId, partition, offset, same_body } of rows) {
    const claim = claims[Number(n) - 1];
    if (!claim) continue;
    const place = partition === null || offset === null ? undefined : { partition, offset };
    found.set(claim, { eventId, place, sameBody: same_body !== false });
  }
  return found;
}

/** Gives up claims that this transaction has made. Index: `event_claim_pkey`. */
export async function dropClaims(tx: Queryable, claims: readonly EventClaim[]): Promise<void> {
  if (claims.length === 0) return;
  await tx.query(dropStatement, nameColumns(claims));
}

/** Forgets claims that are older than this, the oldest first. Index: `event_claim_created_at`. */
export async function forgetClaims(
  db: Queryable,
  { retentionMs, maxRows }: { readonly retentionMs: number; readonly maxRows: number },
): Promise<number> {
  const { rowCount } = await db.query(
    `with old as (
       select kind, topic, claim from gateway.event_claim
       where created_at < now() - $1::float8 * interval '1 ms'
       order by created_at limit $2
       for update skip locked
     )
     delete from gateway.event_claim e using old
     where e.kind = old.kind and e.topic = old.topic and e.claim = old.claim`,
    [retentionMs, maxRows],
  );
  return rowCount;
}

function nameColumns(claims: readonly EventClaim[]): string[][] {
  return [
    claims.map(({ kind }) => kind),
    claims.map(({ topic }) => topic),
    claims.map(({ claim }) => claim),
  ];
}

function nameOf({ kind, topic, claim }: Pick<EventClaim, 'kind' | 'topic' | 'claim'>): string {
  return `${kind}\0${topic}\0${claim}`;
}
