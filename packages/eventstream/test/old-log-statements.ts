/**
 * Statements of logs of version 0.2, letter for letter: they must work on a database that was
 * migrated while such a process runs. They know no applications.
 */
export const oldLogStatements = {
  append: {
    name: 'old_eventstream_append',
    text: `select eventstream.append($1::integer[], $2::text[], $3::bytea[], $4::bytea[], $5::text[],
  $6::integer[], $7::text[]) as offsets`,
  },
  appendTexts: {
    name: 'old_eventstream_append_texts',
    text: `select eventstream.append_texts($1::integer[], $2::text[], $3::text[], $4::text[],
  $5::text[])`,
  },
  range: {
    name: 'old_eventstream_range',
    text: `
select r."offset", r.appended_at, r.name, r.key, r.value, r.headers, s.first_offset
from eventstream.shard s left join lateral (
  select * from (
    select *, sum(octet_length(coalesce(value, ''))) over (order by "offset")
      - octet_length(coalesce(value, '')) as bytes_before
    from (
      select "offset", appended_at, name, key, value, headers from eventstream.record
      where shard_id = $1 and "offset" >= $2 and "offset" < $3 and segment >= (
        select coalesce(max(f.segment), 0) from eventstream.segment_start f
        where f.shard_id = $1 and f.first_offset <= $2
      )
      order by "offset" limit $4
    ) as page
  ) as measured
  where bytes_before < $5
) as r on true
where s.id = $1 order by r."offset"`,
  },
  createPartition: {
    name: 'old_eventstream_create_partition',
    text: `create table eventstream.record_2
     (like eventstream.record including all excluding indexes) with (autovacuum_enabled = false, toast.autovacuum_enabled = false)`,
  },
} as const;
