import {
  type Applications,
  type ErasingProgress,
  type ErasureSelection,
  newId,
  PlatformError,
  parseId,
  toApplicationColumn,
} from '@posthaste/contracts';
import type { Queryable, Statement } from '@posthaste/postgres';
import { type Erasure, type ErasureKind, type ErasureTarget, toTarget } from './erasure.js';

interface ErasureRow {
  readonly id: string;
  readonly kind: ErasureKind;
  readonly applications: string[] | null;
  readonly target: ErasureTarget;
  readonly selection: Omit<ErasureSelection, 'applications'> | null;
  readonly state: Erasure['state'];
  readonly stage: string;
  readonly position: string | null;
  readonly scanned: bigint;
  readonly erased: bigint;
  readonly kept: bigint;
  readonly error: string | null;
  readonly requested_by: string;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly ended_at: Date | null;
}

/** Erasure to create. */
export interface NewErasure {
  readonly kind: ErasureKind;
  readonly selection: ErasureSelection;
  /** Name of the caller that asks for it. */
  readonly requestedBy: string;
}

/** Unique index `erasure_of_application`: an application is removed once at a time. */
const insertStatement: Statement = {
  name: 'access_erasure_insert',
  text: `
insert into gateway.erasure (id, kind, applications, target, selection, requested_by)
values ($1, $2, $3, $4, $5, $6)
on conflict do nothing
returning *`,
};

/** Inserts an erasure. Returns `undefined` if the application is being removed already. */
export async function insertErasure(
  db: Queryable,
  { kind, selection, requestedBy }: NewErasure,
): Promise<Erasure | undefined> {
  const id = newId();
  const { applications, ...rest } = selection;
  const { rows } = await db.query<ErasureRow>(insertStatement, [
    id,
    kind,
    toApplicationColumn(applications),
    JSON.stringify(kind === 'payloads' ? toTarget(id, selection) : {}),
    JSON.stringify(rest),
    requestedBy,
  ]);
  return rows[0] && toErasure(rows[0]);
}

/** An erasure is of the caller's applications if all of its own are among them. */
const isWithin = '($1::text[] is null or applications <@ $1::text[])';

const getStatement: Statement = {
  name: 'access_erasure_get',
  text: `select * from gateway.erasure where id = $2 and ${isWithin}`,
};

/** Returns an erasure. @throws PlatformError `ERASURE_NOT_FOUND` */
export async function getErasure(
  db: Queryable,
  id: string,
  within: Applications,
): Promise<Erasure> {
  const uuid = parseId(id);
  if (uuid === undefined) throw notFound(id);
  const values = [toApplicationColumn(within), uuid];
  const [row] = (await db.query<ErasureRow>(getStatement, values)).rows;
  if (row) return toErasure(row);
  throw notFound(id);
}

const listStatement: Statement = {
  name: 'access_erasure_list',
  text: `select * from gateway.erasure
    where ${isWithin} and ($2::uuid is null or id < $2) order by id desc limit $3`,
};

/** Query of one page of erasures. */
export interface ErasureQuery {
  readonly within: Applications;
  /** Last id of the page before. Default: the newest. */
  readonly before?: string | undefined;
  readonly limit: number;
}

/** Returns erasures, the newest first. Index: primary key. */
export async function listErasures(
  db: Queryable,
  { within, before, limit }: ErasureQuery,
): Promise<Erasure[]> {
  const values = [toApplicationColumn(within), before ?? null, limit];
  return (await db.query<ErasureRow>(listStatement, values)).rows.map(toErasure);
}

const removalsStatement: Statement = {
  name: 'access_erasure_removals',
  text: `select * from gateway.erasure
    where kind = 'application' and state = 'running' and applications[1] = any($1::text[])`,
};

/** Returns the removals that run, by the name of the application. Index: `erasure_of_application`. */
export async function findRemovals(
  db: Queryable,
  names: readonly string[],
): Promise<ReadonlyMap<string, Erasure>> {
  const { rows } = await db.query<ErasureRow>(removalsStatement, [names]);
  return new Map(rows.map((row) => [row.applications?.[0] ?? '', toErasure(row)]));
}

/** Erasure that is locked for one step. */
export interface DueErasure {
  readonly id: string;
  readonly kind: ErasureKind;
  readonly selection: ErasureSelection;
  /** Stage to run; `undefined` before the first step. */
  readonly stage: string | undefined;
  readonly position: string | undefined;
  readonly createdAt: Date;
  /** Time since its creation by the database's clock, in ms. */
  readonly ageMs: number;
}

/**
 * The one whose last step was longest ago, so that all take turns. Those that other processes have
 * locked are passed over. Index: `erasure_running`.
 */
const pickStatement: Statement = {
  name: 'access_erasure_pick',
  text: `
select *, (extract(epoch from clock_timestamp() - created_at) * 1000)::float8 as age_ms
from gateway.erasure
where state = 'running' and due_at <= clock_timestamp()
order by updated_at, id limit 1
for no key update skip locked`,
};

/** Locks the erasure whose turn it is. */
export async function pickErasure(tx: Queryable): Promise<DueErasure | undefined> {
  const [row] = (await tx.query<ErasureRow & { age_ms: number }>(pickStatement)).rows;
  if (!row) return undefined;
  const applications = row.applications ?? 'all';
  return {
    id: row.id,
    kind: row.kind,
    selection: { undelivered: 'cancel', ...row.selection, applications },
    stage: row.stage === '' ? undefined : row.stage,
    position: row.position ?? undefined,
    createdAt: row.created_at,
    ageMs: row.age_ms,
  };
}

const advanceStatement: Statement = {
  name: 'access_erasure_advance',
  text: `
update gateway.erasure set stage = $2, position = $3, scanned = scanned + $4, erased = erased + $5,
  kept = kept + $6, error = null, updated_at = clock_timestamp(),
  due_at = clock_timestamp() + $7::float8 * interval '1 ms'
where id = $1`,
};

/** Stores the progress of a step, with the stage and the position of the next one. */
export async function advanceErasure(
  tx: Queryable,
  { id, stage, progress }: { id: string; stage: string; progress: ErasingProgress },
): Promise<void> {
  const { position, scanned, erased, kept = 0, waitMs = 0 } = progress;
  await tx.query(advanceStatement, [id, stage, position ?? null, scanned, erased, kept, waitMs]);
}

const finishStatement: Statement = {
  name: 'access_erasure_finish',
  text: `
update gateway.erasure set state = 'done', stage = 'done', position = null, selection = null,
  updated_at = clock_timestamp(), ended_at = clock_timestamp()
where id = $1`,
};

/** Ends an erasure. Its record stays, without the identifier and the key. */
export async function finishErasure(tx: Queryable, id: string): Promise<void> {
  await tx.query(finishStatement, [id]);
}

const postponeStatement: Statement = {
  name: 'access_erasure_postpone',
  text: `
update gateway.erasure set error = $2, updated_at = clock_timestamp(),
  due_at = clock_timestamp() + $3::float8 * interval '1 ms'
where id = $1 and state = 'running'`,
};

/** Notes that a step failed. It is tried again after `waitMs`; others have their turn meanwhile. */
export async function postponeErasure(
  db: Queryable,
  { id, error, waitMs }: { id: string; error: string; waitMs: number },
): Promise<void> {
  await db.query(postponeStatement, [id, error, waitMs]);
}

function notFound(id: string): PlatformError {
  return new PlatformError('ERASURE_NOT_FOUND', `there is no erasure ${id}`);
}

function toErasure(row: ErasureRow): Erasure {
  return {
    id: row.id,
    kind: row.kind,
    applications: row.applications ?? 'all',
    target: row.target,
    state: row.state,
    stage: row.stage === '' ? 'queued' : row.stage,
    scanned: Number(row.scanned),
    erased: Number(row.erased),
    kept: Number(row.kept),
    error: row.error,
    requestedBy: row.requested_by,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    endedAt: row.ended_at,
  };
}
