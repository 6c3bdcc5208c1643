/**
 * Program that tests kill. It opens the embedded database in the folder of its argument, and writes
 * pairs of rows in a loop. It prints the number of each pair when it is committed.
 */
import { openEmbedded } from '@posthaste/postgres';

const [dataDir = ''] = process.argv.slice(2);
const db = await openEmbedded({ dataDir });
await db.query(
  'create table if not exists pair (n int8, half int, body bytea, primary key (n, half))',
);
const { rows } = await db.query<{ next: bigint }>(
  'select coalesce(max(n), 0) + 1 as next from pair',
);
const insert = { name: 'insert', text: 'insert into pair (n, half, body) values ($1, $2, $3)' };

for (let n = rows[0]?.next ?? 1n; ; n++) {
  const body = Buffer.alloc(Number(n % 5n) * 1_000, 1);
  await db.transaction(async (tx) => {
    await tx.query(insert, [n, 1, body]);
    await tx.query(insert, [n, 2, body]);
  });
  console.log(`committed ${n}`);
  if (n % 100n === 0n) await db.query('checkpoint');
}
