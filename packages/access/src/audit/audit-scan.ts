import { type Applications, parseJsonWithDigits } from '@posthaste/contracts';
import type { Queryable, Statement } from '@posthaste/postgres';
import type { Actor, AuditEntry, TargetState } from './change.js';

/** Conditions of a list. An entry must match every member that is given. */
export interface AuditConditions {
  /** Regular expression of the action. */
  readonly action?: string | undefined;
  readonly actorKind?: string | undefined;
  /** Id or name of the actor. */
  readonly actor?: string | undefined;
  readonly targetKind?: string | undefined;
  /** Id or name of the target. */
  readonly target?: string | undefined;
}

/** Part of the log to read, the newest entries first. */
export interface AuditScan extends AuditConditions {
  readonly within: Applications;
  /** Only entries before this id. */
  readonly before?: string | undefined;
  /** Only entries at or after this moment. */
  readonly since?: Date | undefined;
  /** Only entries before this moment. */
  readonly until?: Date | undefined;
  readonly maxMatches: number;
  /** Most entries that are read, matching or not. */
  readonly maxScanned: number;
}

/** Entries found, and the place where the scan ended. */
export interface AuditScanResult {
  readonly entries: readonly AuditEntry[];
  /** Id of the last entry that was read; `undefined` if there was none. */
  readonly last: string | undefined;
  /** True if `maxScanned` entries were read: others may follow. */
  readonly isCut: boolean;
}

interface EntryRow {
  readonly id: string;
  readonly time: Date;
  readonly application: string | null;
  readonly actor_kind: Actor['kind'];
  readonly actor_id: string;
  readonly actor_name: string;
  readonly action: string;
  readonly target_kind: string;
  readonly target_id: string;
  readonly target_name: string;
  readonly before: string | null;
  readonly after: string | null;
  readonly changed: string[];
  readonly client_address: string | null;
  readonly user_agent: string | null;
  readonly request_id: string | null;
  readonly note: string | null;
}

/** Lowest and highest id: times are parts of ids, so a range of time is a range of ids. */
const range = `a.id >= coalesce(gateway.audit_id_floor($3), '00000000-0000-0000-0000-000000000000')
    and a.id < least($2::uuid, gateway.audit_id_floor($4), 'ffffffff-ffff-ffff-ffff-ffffffffffff')`;

const matches = `(($5::text is null or a.action ~ $5)
      and ($6::text is null or a.actor_kind = $6)
      and ($7::text is null or a.actor_id = $7 or a.actor_name = $7)
      and ($8::text is null or a.target_kind = $8)
      and ($9::text is null or a.target_id = $9 or a.target_name = $9)) as matches`;

/**
 * Creates the statement that reads a bounded part of the log. `scanned` selects from it, the newest
 * first, and has only ids until the matches are known, because states may be large. One row always
 * comes back, for the place where the scan ended.
 */
function scanStatement(name: string, scanned: string): Statement {
  return {
    name,
    text: `
with scanned as materialized (${scanned} order by id desc limit $11::integer),
matched as (select id from scanned where matches order by id desc limit $10::integer),
ended as (
  select (select id from scanned order by id limit 1) as last,
    (select count(*)::integer from scanned) as scanned
)
select ended.last, ended.scanned, a.id, a.time, a.application, a.actor_kind, a.actor_id,
  a.actor_name, a.action, a.target_kind, a.target_id, a.target_name, a.before::text as before,
  a.after::text as after, a.changed, a.client_address, a.user_agent, a.request_id, a.note
from ended left join (matched join gateway.audit a using (id)) on true
order by a.id desc`,
  };
}

/** Reads the log of all applications, and of none. Index: the primary key. */
const scanAllStatement = scanStatement(
  'access_audit_scan_all',
  `select a.id, ${matches} from gateway.audit a where $1::text[] is null and ${range}`,
);

/** Reads the log of some applications, each by itself. Index: `audit_application`. */
const scanSomeStatement = scanStatement(
  'access_audit_scan_some',
  `select found.id, found.matches
  from (select distinct unnest($1::text[]) as application) wanted
  cross join lateral (
    select a.id, ${matches} from gateway.audit a
    where a.application = wanted.application and ${range}
    order by a.id desc limit $11::integer
  ) found`,
);

/** Reads a part of the log. */
export async function scanEntries(db: Queryable, scan: AuditScan): Promise<AuditScanResult> {
  const { within, maxScanned } = scan;
  const statement = within === 'all' ? scanAllStatement : scanSomeStatement;
  const { rows } = await db.query<EntryRow & EndRow>(statement, [
    within === 'all' ? null : within,
    scan.before ?? null,
    scan.since ?? null,
    scan.until ?? null,
    scan.action ?? null,
    scan.actorKind ?? null,
    scan.actor ?? null,
    scan.targetKind ?? null,
    scan.target ?? null,
    scan.maxMatches,
    maxScanned,
  ]);
  const [end] = rows;
  return {
    entries: rows.filter(({ id }) => id !== null).map(toEntry),
    last: end?.last ?? undefined,
    isCut: end?.scanned === maxScanned,
  };
}

/** Place where a scan ended. */
interface EndRow {
  readonly last: string | null;
  readonly scanned: number;
}

function toEntry(row: EntryRow): AuditEntry {
  return {
    id: row.id,
    time: row.time,
    application: row.application ?? undefined,
    actor: { kind: row.actor_kind, id: row.actor_id, name: row.actor_name },
    action: row.action,
    target: { kind: row.target_kind, id: row.target_id, name: row.target_name },
    before: toState(row.before),
    after: toState(row.after),
    changed: row.changed,
    origin: {
      address: row.client_address ?? undefined,
      userAgent: row.user_agent ?? undefined,
      requestId: row.request_id ?? undefined,
    },
    note: row.note ?? undefined,
  };
}

/** Parses a state. Its numbers keep their digits. */
function toState(json: string | null): TargetState | undefined {
  return json === null ? undefined : (parseJsonWithDigits(json) as TargetState);
}
