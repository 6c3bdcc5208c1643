import type { Queryable, Statement } from '@posthaste/postgres';

/** Where a dead letter stands. */
export interface LetterPlace {
  /** Of the dead letters. */
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
}

const markStatement: Statement = {
  name: 'gateway_replayed_mark',
  text: `
insert into gateway.replayed_dead_letter as r (topic, partition, "offset")
select * from unnest($1::text[], $2::integer[], $3::bigint[]) order by 1, 2, 3
on conflict (topic, partition, "offset") do update set replayed_at = now() where $4::boolean
returning topic, partition, "offset"`,
};

/**
 * Notes in the transaction that these are replayed. Gives those that had not been, or with `again`
 * all of them. Index: `replayed_dead_letter_pkey`.
 */
export async function markReplayed<Letter extends LetterPlace>(
  tx: Queryable,
  letters: readonly Letter[],
  again: boolean,
): Promise<Letter[]> {
  if (letters.length === 0) return [];
  const { rows } = await tx.query<LetterPlace>(markStatement, [...placeColumns(letters), again]);
  const marked = new Set(rows.map(placeOf));
  return letters.filter((letter) => marked.has(placeOf(letter)));
}

const findStatement: Statement = {
  name: 'gateway_replayed_find',
  text: `
select r.* from unnest($1::text[], $2::integer[], $3::bigint[]) as l(topic, partition, place)
join gateway.replayed_dead_letter r
  on r.topic = l.topic and r.partition = l.partition and r."offset" = l.place`,
};

/** When these were replayed last, those that were. Index: `replayed_dead_letter_pkey`. */
export async function findReplayed<Letter extends LetterPlace>(
  db: Queryable,
  letters: readonly Letter[],
): Promise<ReadonlyMap<Letter, Date>> {
  if (letters.length === 0) return new Map();
  const { rows } = await db.query<LetterPlace & { readonly replayed_at: Date }>(
    findStatement,
    placeColumns(letters),
  );
  const times = new Map(rows.map((row) => [placeOf(row), row.replayed_at]));
  return new Map(
    letters.flatMap((letter) => {
      const time = times.get(placeOf(letter));
      return time ? [[letter, time] as const] : [];
    }),
  );
}

/** Forgets what was replayed longer ago, the oldest first. Index: `replayed_dead_letter_replayed_at`. */
export async function forgetReplayed(
  db: Queryable,
  { retentionMs, maxRows }: { readonly retentionMs: number; readonly maxRows: number },
): Promise<number> {
  const { rowCount } = await db.query(
    `with old as (
       select topic, partition, "offset" from gateway.replayed_dead_letter
       where replayed_at < now() - $1::float8 * interval '1 ms'
       order by replayed_at limit $2
       for update skip locked
     )
     delete from gateway.replayed_dead_letter r using old
     where r.topic = old.topic and r.partition = old.partition and r."offset" = old."offset"`,
    [retentionMs, maxRows],
  );
  return rowCount;
}

function placeColumns(letters: readonly LetterPlace[]): unknown[][] {
  return [
    letters.map(({ topic }) => topic),
    letters.map(({ partition }) => partition),
    letters.map(({ offset }) => offset),
  ];
}

function placeOf({ topic, partition, offset }: LetterPlace): string {
  return `${topic} ${partition} ${offset}`;
}
