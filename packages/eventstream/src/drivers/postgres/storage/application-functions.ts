import {
  appendVariables,
  assertReadCommitted,
  drawOffsets,
  keyLockClass,
} from './log-functions.js';
import { appendChannel } from './notify-channel.js';

const insertInto = `insert into eventstream.record
    (segment, shard_id, "offset", appended_at, name, key, value, headers, application)`;

/**
 * The functions that append, with the application of each record as their last argument: null, or
 * missing at the end of the list, for none. Those without it (log-functions.ts) stay, for processes
 * of the version before.
 *
 * These functions are part of a released migration: their text must not change, comments included.
 */
export const applicationFunctions: string = `
create function eventstream.append(shards integer[], names text[], keys bytea[], vals bytea[],
  heads text[], key_locks integer[], topics text[], applications text[]) returns bigint[]
language plpgsql volatile as $$
declare${appendVariables}
begin${assertReadCommitted}
  perform pg_advisory_xact_lock(${keyLockClass}, hash) from unnest(key_locks) as hash;
  ${drawOffsets}
  ${insertInto}
  select newest, r.shard, r.place, clock_timestamp(), r.name, r.key, r.value, r.head::json,
    r.application
  from (
    select unnest(shards) as shard, unnest(offsets) as place, unnest(names) as name,
      unnest(keys) as key, unnest(vals) as value, unnest(heads) as head,
      unnest(applications) as application
  ) as r;
  perform pg_notify('${appendChannel}', topic) from unnest(topics) as topic;
  return offsets;
end $$;

create function eventstream.append_texts(shards integer[], names text[], keys text[], vals text[],
  traces text[], applications text[]) returns integer
language plpgsql volatile as $$
declare${appendVariables}
begin${assertReadCommitted}
  ${drawOffsets}
  ${insertInto}
  select newest, r.shard, r.place, clock_timestamp(), r.name, convert_to(r.key, 'UTF8'),
    convert_to(r.value, 'UTF8'), case when r.trace is not null then to_json(r.trace) end,
    r.application
  from (
    select unnest(shards) as shard, unnest(offsets) as place, unnest(names) as name,
      unnest(keys) as key, unnest(vals) as value, unnest(traces) as trace,
      unnest(applications) as application
  ) as r;
  return cardinality(offsets);
end $$;
`;
