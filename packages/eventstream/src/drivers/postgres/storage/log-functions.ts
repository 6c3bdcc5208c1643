import { appendChannel } from './notify-channel.js';

/**
 * How records get their place, and how far may be read. The one invariant:
 *
 *   what a reader has been given of a shard is all that will ever be there below its position.
 *
 * Offsets come from a sequence, so appenders of one shard do not wait for one another, however long
 * their transactions last; but an offset is drawn long before its record can be seen, and others
 * that are higher can be seen earlier. So an appender first takes an advisory lock that says "I may
 * write at this offset or above", shared, and held to the end of its transaction; and a reader goes
 * no further than the lowest such lock in `pg_locks`:
 *
 *   appender: 1. n := offsets drawn so far  2. lock(n)  3. draw offsets  4. insert  … commit, unlock
 *   reader:   1. v := offsets drawn so far  2. m := lowest lock held     3. read below min(v, m)
 *
 * An appender whose lock the reader did not see either takes it later, and then draws its offsets
 * after v was read, above it; or has given it up, and then its end was visible before (Postgres ends
 * a transaction before it releases its locks), so the reader's third step, with a newer snapshot,
 * sees its records. Steps must see each other's times: each is a statement of its own, in a
 * transaction that takes a snapshot per statement. A crash frees the locks with the session.
 *
 * The well-known other way, ordering by transaction id and reading below
 * `pg_snapshot_xmin(pg_current_snapshot())`, was not taken: every long transaction of the cluster,
 * of another database even, would hold up every reader; and a transaction that has its id from
 * earlier work, and then waits for the row lock of the one before it, would come first in the log
 * though it comes second in truth. Here such a one draws its offset after the wait.
 *
 * Appenders of one key that do not wait for one another by a lock of their own are made to, by an
 * exclusive advisory lock on the key taken before everything else: the order of their offsets is
 * then the order of their commits. Who has such a lock already (a row of the thing that the key
 * names) can do without.
 *
 * Locks are of the form with two integers. In the first: `keyLockClass`, or `shardLockClass` plus
 * the shard; in the second 32 bits of the key's hash or of the offset, from which the offset is
 * found again as the one nearest to v.
 *
 * A transaction that has used a table sees partitions that are attached to it meanwhile only when it
 * happens to take in what other sessions have changed, as it does when it takes a lock on a table
 * that it does not hold. Both functions make it do so, by way of a table that nobody else uses and
 * whose lock `pg_relation_size` gives back. A reader would pass over records otherwise. Partitions
 * are attached in a transaction of their own before the segment can be seen (segments.ts): who sees
 * the segment, or a record in it, finds the partition then.
 *
 * The segment is read after the offsets are drawn: whoever looks at the newest segment, and then
 * sees v, knows that what is at v and above is in that segment or a later one (segments.ts).
 */

/** "evs" in the upper bytes; shards count from here on. */
const shardLockClass = 0x65767300;
/** Just below the shards. */
const keyLockClass = shardLockClass - 1;

const assertReadCommitted = `
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'the event log needs transactions that are read committed'
      using errcode = 'feature_not_supported';
  end if;`;

const seeAttached = `
  perform pg_relation_size('eventstream.attach_point');`;

const appendVariables = `
  newest integer;
  offsets bigint[];
  used integer[] := array(select distinct s from unnest(shards) as s order by s);
  sequences regclass[] := array(select ('eventstream.offset_' || s)::regclass from unnest(used) as s);`;

/** Steps 1 to 3 of an appender, and the segment. */
const drawOffsets = `perform pg_advisory_xact_lock_shared(${shardLockClass} + s,
    (eventstream.drawn(s) << 32 >> 32)::integer) from unnest(used) as s;
  offsets := array(
    select nextval(sequences[array_position(used, s)]) - 1 from unnest(shards) as s
  );
  select max(id) into newest from eventstream.segment;${seeAttached}`;

const insertInto = `insert into eventstream.record
    (segment, shard_id, "offset", appended_at, name, key, value, headers)`;

/** Functions because their steps need a snapshot each, and should not need a round trip each. */
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
