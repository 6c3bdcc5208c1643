/**
 * How records get their offsets, and how far readers may read.
 *
 * Invariant: the records that a reader got of a shard are all that will ever be there below its
 * position.
 *
 * Offsets come from a sequence, so appenders of one shard do not wait for one another, however long
 * their transactions last. But an offset is drawn long before its record is visible, and records
 * with higher offsets may be visible earlier. Therefore an appender first takes a shared advisory
 * lock that means "I may write at this offset or above", and holds it to the end of its
 * transaction. A reader reads only below the lowest such lock in `pg_locks`:
 *
 *   appender: 1. n := offsets drawn so far  2. lock(n)  3. draw offsets  4. insert … commit, unlock
 *   reader:   1. v := offsets drawn so far  2. m := lowest lock held     3. read below min(v, m)
 *
 * There are two cases of an appender whose lock the reader did not see. Either it takes the lock
 * later: then it draws its offsets after v was read, above v. Or it has released the lock: then its
 * transaction ended before (Postgres ends a transaction before it releases its locks), so the
 * reader's third step, with a newer snapshot, sees its records. Each step
 * needs a newer snapshot than the step before: each is a statement of its own, in a transaction that
 * takes a snapshot per statement (read committed). A crash releases the locks with the session.
 *
 * The well-known alternative was not taken: ordering by transaction id and reading below
 * `pg_snapshot_xmin(pg_current_snapshot())`. Every long transaction of the cluster, even in another
 * database, would hold up every reader. And a transaction that got its id from earlier work, and
 * then waited for the row lock of another one, would be first in the log although it is second in
 * fact. Here it draws its offset after the wait.
 *
 * Appenders of one key that share no lock of their own take an exclusive advisory lock on the key
 * before everything else: the order of their offsets is then the order of their commits. Appenders
 * that already share a lock (on the row of the thing that the key names) do not need it.
 *
 * The locks have two integers. The first is `keyLockClass`, or `shardLockClass` plus the shard. The
 * second has 32 bits of the key's hash, or of the offset; the full offset is the one nearest to v
 * with these bits.
 *
 * A transaction that has used a table sees partitions that are attached later only after it has
 * processed the changes of other sessions. It does so when it takes a lock on a table that it does
 * not hold yet. Both functions force this with `pg_relation_size` on a table that nothing else
 * uses; the lock is released at once. Without it a reader would miss records. A partition is
 * attached in a transaction of its own before its segment is visible (segments.ts), so a
 * transaction that sees the segment, or a record in it, then finds the partition.
 *
 * The segment is read after the offsets are drawn. A reader that reads the newest segment, and v
 * after that, knows that records at v and above are in that segment or a later one
 * (segments.ts).
 *
 * These functions are part of a released migration: their text must not change, comments included.
 */

import { appendChannel } from './notify-channel.js';

/** First lock class of shards: "evs" in the upper bytes. A shard adds its id. */
const shardLockClass = 0x65767300;
/** Lock class of keys, just below the shards. */
export const keyLockClass: number = shardLockClass - 1;

export const assertReadCommitted: string = `
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'the event log needs transactions that are read committed'
      using errcode = 'feature_not_supported';
  end if;`;

const seeAttached = `
  perform pg_relation_size('eventstream.attach_point');`;

export const appendVariables: string = `
  newest integer;
  offsets bigint[];
  used integer[] := array(select distinct s from unnest(shards) as s order by s);
  sequences regclass[] := array(select ('eventstream.offset_' || s)::regclass from unnest(used) as s);`;

/** Steps 1 to 3 of an appender, and the segment. */
export const drawOffsets: string = `perform pg_advisory_xact_lock_shared(${shardLockClass} + s,
    (eventstream.drawn(s) << 32 >> 32)::integer) from unnest(used) as s;
  offsets := array(
    select nextval(sequences[array_position(used, s)]) - 1 from unnest(shards) as s
  );
  select max(id) into newest from eventstream.segment;${seeAttached}`;

const insertInto = `insert into eventstream.record
    (segment, shard_id, "offset", appended_at, name, key, value, headers)`;

/**
 * Functions in SQL: each of their steps needs its own snapshot, but should not cost a round trip.
 */
export const logFunctions: string = `
create function eventstream.drawn(shard integer) returns bigint language sql volatile as $$
  select coalesce(pg_sequence_last_value(('eventstream.offset_' || shard)::regclass), 0)
$$;

-- The last arguments: hashes of the keys to lock, ascending; the topics to tell of.
create function eventstream.append(shards integer[], names text[], keys bytea[], vals bytea[],
  heads text[], key_locks integer[], topics text[]) returns bigint[]
language plpgsql volatile as $$
declare${appendVariables}
begin${assertReadCommitted}
  perform pg_advisory_xact_lock(${keyLockClass}, hash) from unnest(key_locks) as hash;
  ${drawOffsets}
  ${insertInto}
  select newest, r.shard, r.place, clock_timestamp(), r.name, r.key, r.value, r.head::json
  from (
    select unnest(shards) as shard, unnest(offsets) as place, unnest(names) as name,
      unnest(keys) as key, unnest(vals) as value, unnest(heads) as head
  ) as r;
  perform pg_notify('${appendChannel}', topic) from unnest(topics) as topic;
  return offsets;
end $$;

-- The same for a statement that makes events by itself, as texts. Keys are not locked, and nobody is
-- told; gives how many there were.
create function eventstream.append_texts(shards integer[], names text[], keys text[], vals text[],
  traces text[]) returns integer
language plpgsql volatile as $$
declare${appendVariables}
begin${assertReadCommitted}
  ${drawOffsets}
  ${insertInto}
  select newest, r.shard, r.place, clock_timestamp(), r.name, convert_to(r.key, 'UTF8'),
    convert_to(r.value, 'UTF8'), case when r.trace is not null then to_json(r.trace) end
  from (
    select unnest(shards) as shard, unnest(offsets) as place, unnest(names) as name,
      unnest(keys) as key, unnest(vals) as value, unnest(traces) as trace
  ) as r;
  return cardinality(offsets);
end $$;

-- "readable": everything below is there, or will never be. "drawn": what the next record gets.
create function eventstream.readable_end(shards integer[])
  returns table (shard_id integer, readable bigint, drawn bigint)
language plpgsql volatile rows 8 as $$
declare
  ends bigint[];
begin${assertReadCommitted}
  ends := array(select eventstream.drawn(s) from unnest(shards) as s);
  return query
    with held as materialized (
      select l.classid::bigint - ${shardLockClass} as shard, l.objid::bigint as low
      from pg_locks l
      where l.locktype = 'advisory' and l.objsubid = 2 and l.classid::bigint > ${shardLockClass}
        and l.database = (select d.oid from pg_database d where d.datname = current_database())
    )
    select e.shard,
      least(e.place, (
        select min(e.place + ((held.low - e.place) << 32 >> 32)) from held
        where held.shard = e.shard
      )),
      e.place
    from unnest(shards, ends) as e(shard, place);${seeAttached}
end $$;

create function eventstream.create_topic(topic text, wanted integer) returns void
language plpgsql volatile as $$
declare
  new_topic integer;
  new_shard integer;
begin
  insert into eventstream.topic (name, partitions) values (topic, wanted)
  on conflict do nothing returning id into new_topic;
  if new_topic is null then return; end if;
  for i in 0 .. wanted - 1 loop
    insert into eventstream.shard (topic_id, partition) values (new_topic, i)
    returning id into new_shard;
    execute format('create sequence eventstream.%I', 'offset_' || new_shard);
    insert into eventstream.segment_start (shard_id, segment, first_offset)
    select new_shard, max(id), 0 from eventstream.segment;
  end loop;
end $$;

-- The first offset from "low" on, below "high", whose record was appended at "moment" or later.
create function eventstream.offset_at(shard integer, moment timestamptz, low bigint, high bigint)
  returns bigint language plpgsql volatile as $$
declare
  middle bigint;
  found_offset bigint;
  found_at timestamptz;
begin
  while low < high loop
    middle := low + (high - low) / 2;
    select r."offset", r.appended_at into found_offset, found_at
    from eventstream.record r
    where r.shard_id = shard and r."offset" >= middle and r."offset" < high
    order by r."offset" limit 1;
    if not found then high := middle;
    elsif found_at < moment then low := found_offset + 1;
    else high := middle;
    end if;
  end loop;
  return low;
end $$;
`;
