import type { Queryable, Statement } from '@posthaste/postgres';

/** Position of a dead letter in the log. */
export interface LetterPosition {
  /** Topic of the dead letters. */
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
}

const markStatement: Statement = {
  name: 'event_log_replayed_mark',
  text: `
insert into event_log.replayed_dead_letter as r (topic, partition, "offset")
select * from unnest($1::text[], $2::integer[], $3::bigint[]) order by 1, 2, 3
on conflict (topic, partition, "offset") do update set replayed_at = now() where $4::boolean
returning topic, partition, "offset"`,
};

/**
 * Notes in the transaction that these dead letters are replayed. Returns those that were not
 * replayed before, or all of them with `again`. Index: `replayed_dead_letter_pkey`.
 */
export async function markReplayed<Letter extends LetterPosition>(
  tx: Queryable,
  letters: readonly Letter[],
  again: boolean,
): Promise<Letter[]> {
  if (letters.length === 0) return [];
  const { rows } = await tx.query<LetterPosition>(markStatement, [
    ...positionColumns(letters),
    again,
  ]);
  const marked = new Set(rows.map(toPositionKey));
  return letters.filter((letter) => marked.has(toPositionKey(letter)));
}

const findStatement: Statement = {
  name: 'event_log_replayed_find',
  text: `
select r.* from unnest($1::text[], $2::integer[], $3::bigint[]) as l(topic, partition, position)
join event_log.replayed_dead_letter r
  on r.topic = l.topic and r.partition = l.partition and r."offset" = l.position`,
};

/**
 * Returns the moment of the last replay of each dead letter that was replayed. Index:
 * `replayed_dead_letter_pkey`.
 */
export async function findReplayed<Letter extends LetterPosition>(
  db: Queryable,
  letters: readonly Letter[],
): Promise<ReadonlyMap<Letter, Date>> {
  if (letters.length === 0) return new Map();
  const { rows } = await db.query<LetterPosition & { readonly replayed_at: Date }>(
    findStatement,
    positionColumns(letters),
  );
  const moments = new Map(rows.map((row) => [toPositionKey(row), row.replayed_at]));
  return new Map(
    letters.flatMap((letter) => {
      const moment = moments.get(toPositionKey(letter));
      return moment ? [[letter, moment] as const] : [];
    }),
  );
}

/**
 * Deletes notes of replays that are older than the retention, the oldest first. Index:
 * `replayed_dead_letter_replayed_at`.
 * @returns the number of deleted notes
 */
export async function forgetReplayed(
  db: Queryable,
  { retentionMs, maxRows }: { readonly retentionMs: number; readonly maxRows: number },
): Promise<number> {
  const { rowCount } = await db.query(
    `with old as (
       select topic, partition, "offset" from event_log.replayed_dead_letter
       where replayed_at < now() - $1::float8 * interval '1 ms'
       order by replayed_at limit $2
       for update skip locked
     )
     delete from event_log.replayed_dead_letter r using old
     where r.topic = old.topic and r.partition = old.partition and r."offset" = old."offset"`,
    [retentionMs, maxRows],
  );
  return rowCount;
}

function positionColumns(letters: readonly LetterPosition[]): unknown[][] {
  return [
    letters.map(({ topic }) => topic),
    letters.map(({ partition }) => partition),
    letters.map(({ offset }) => offset),
  ];
}

function toPositionKey({ topic, partition, offset }: LetterPosition): string {
  return `${topic} ${partition} ${offset}`;
}
