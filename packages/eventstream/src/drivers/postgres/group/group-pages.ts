import { type ApplicationRules, type Applications, PlatformError } from '@posthaste/contracts';
import type { Queryable, Statement } from '@posthaste/postgres';
import type { GroupLag } from '../../../driver.js';

/** Rules that map topics and groups to applications. */
export interface GroupRules {
  readonly topicRules: ApplicationRules;
  readonly groupRules: ApplicationRules;
}

/** A query for one page of groups. */
export interface GroupQuery {
  /**
   * Only groups that these applications may see: those that a rule maps to one of them, or whose
   * topic one does. A group or a topic that is mapped to another application is never among them.
   */
  readonly within: Applications;
  /** Only groups that read this topic. */
  readonly topic?: string | undefined;
  /** Only groups of this name. */
  readonly groupId?: string | undefined;
  /** Most groups of the page, 1 to 500. Default 50. */
  readonly limit?: number | undefined;
  /** `next` of the page before. Absent: the first page. */
  readonly cursor?: string | undefined;
}

/** A page of groups with their lag. */
export interface GroupPage {
  /** In the order of topic and name. */
  readonly groups: readonly GroupLag[];
  /** Cursor of the next page. Undefined on the last page. Opaque. */
  readonly next: string | undefined;
}

const defaultLimit = 50;
const maxLimit = 500;

/** Reads one page. @throws PlatformError `REQUEST_INVALID` for limit or cursor, `DATABASE_*` */
export async function listGroups(
  db: Queryable,
  rules: GroupRules,
  { within, topic, groupId, limit = defaultLimit, cursor }: GroupQuery,
): Promise<GroupPage> {
  if (!(Number.isInteger(limit) && limit >= 1 && limit <= maxLimit)) {
    throw new PlatformError('REQUEST_INVALID', `limit must be 1 to ${maxLimit}`);
  }
  const after = cursor === undefined ? undefined : parseCursor(cursor);
  const found = await readProgress(db, {
    topic,
    groupId,
    after,
    limit: limit + 1,
    visible: within === 'all' ? undefined : toVisible(rules, within),
  });
  const groups = found.slice(0, limit);
  const last = found.length > limit ? groups.at(-1) : undefined;
  return { groups, next: last && toCursor([last.topic, last.groupId]) };
}

/** A topic and a group. */
type GroupName = readonly [topic: string, group: string];

/** Regular expressions of names, for Postgres. Null matches none. */
interface VisibleNames {
  readonly ownTopics: string | null;
  /** Topics that are mapped to any application. */
  readonly mappedTopics: string | null;
  readonly ownGroups: string | null;
  readonly mappedGroups: string | null;
}

function toVisible({ topicRules, groupRules }: GroupRules, within: Applications): VisibleNames {
  return {
    ownTopics: topicRules.ownedBy(within),
    mappedTopics: topicRules.matched,
    ownGroups: groupRules.ownedBy(within),
    mappedGroups: groupRules.matched,
  };
}

/** Filter and limit of `readProgress`. */
export interface ProgressRequest {
  readonly topic: string | undefined;
  readonly groupId: string | undefined;
  /** Only groups after this one. */
  readonly after?: GroupName | undefined;
  /** Absent: all groups. */
  readonly limit?: number | undefined;
  /** Groups that may be shown. Absent: all. */
  readonly visible?: VisibleNames | undefined;
}

/**
 * Positions of groups, however many topics they read. Offsets without a record count as lag only
 * behind the next record. Indexes: `topic_name_key`, `consumer_group_topic_id_name_key`,
 * `group_offset_pkey`, and one probe of `record_offset` per segment, group and shard, however many
 * records follow.
 */
export const progressStatement: Statement = {
  name: 'eventstream_progress',
  text: `
with page as materialized (
  select c.id, t.name as topic, c.name
  from eventstream.topic t join eventstream.consumer_group c on c.topic_id = t.id
  where ($1::text is null or t.name = $1) and ($2::text is null or c.name = $2)
    and ($3::text is null or (t.name, c.name) > ($3, $4::text))
    and ($6::boolean
      or ((t.name ~ $7) or (t.name ~ $8) is not true)
        and ((c.name ~ $9) or (c.name ~ $10) is not true)
        and ((t.name ~ $7) or (c.name ~ $9)))
  order by t.name, c.name limit $5::bigint
),
ends as materialized (
  select * from eventstream.readable_end(array(
    select distinct g.shard_id from page p join eventstream.group_offset g on g.group_id = p.id
  ))
)
select p.topic, p.name as "groupId", s.partition, g."offset" as committed, e.drawn as "end",
  e.drawn - coalesce((
    select r."offset" from eventstream.record r
    where r.shard_id = g.shard_id and r."offset" >= g."offset"
    order by r."offset" limit 1
  ), e.readable) as lag
from page p
join eventstream.group_offset g on g.group_id = p.id
join eventstream.shard s on s.id = g.shard_id
join ends e on e.shard_id = g.shard_id
order by p.topic, p.name, s.partition`,
};

interface ProgressRow {
  readonly topic: string;
  readonly groupId: string;
  readonly partition: number;
  readonly committed: bigint;
  readonly end: bigint;
  readonly lag: bigint;
}

/** Reads the positions of groups, in the order of topic and name, with one statement. */
export async function readProgress(
  db: Queryable,
  { topic, groupId, after, limit, visible }: ProgressRequest,
): Promise<GroupLag[]> {
  const [afterTopic, afterGroup] = after ?? [];
  const { rows } = await db.query<ProgressRow>(progressStatement, [
    ...[topic ?? null, groupId ?? null, afterTopic ?? null, afterGroup ?? null],
    limit ?? null,
    visible === undefined,
    ...[visible?.ownTopics ?? null, visible?.mappedTopics ?? null],
    ...[visible?.ownGroups ?? null, visible?.mappedGroups ?? null],
  ]);
  return [...Map.groupBy(rows, (row) => `${row.topic}\0${row.groupId}`).values()].flatMap(toGroup);
}

function toGroup(rows: readonly ProgressRow[]): GroupLag[] {
  const [first] = rows;
  if (!first) return [];
  const { topic, groupId } = first;
  const partitions = rows.map(({ partition, committed, end, lag }) => {
    return { partition, committed, end, lag };
  });
  return [{ groupId, topic, partitions }];
}

function toCursor(after: GroupName): string {
  return Buffer.from(JSON.stringify(after)).toString('base64url');
}

/** @throws PlatformError `REQUEST_INVALID` */
function parseCursor(cursor: string): GroupName {
  try {
    const names: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    if (isGroupName(names)) return names;
  } catch {
    // Not JSON: as invalid as any other text.
  }
  throw new PlatformError('REQUEST_INVALID', 'the cursor is invalid; use `next` of a page');
}

function isGroupName(names: unknown): names is GroupName {
  const isName = (name: unknown): boolean => typeof name === 'string' && !name.includes('\0');
  return Array.isArray(names) && names.length === 2 && names.every(isName);
}
