import type { Statement } from '@posthaste/postgres';

/**
 * Statements of gateways of version 0.1, letter for letter: they must work on a database that was
 * migrated while such a gateway runs.
 */
export const oldEventStatements = {
  claim: {
    name: 'gateway_event_claim',
    text: `
insert into gateway.event_claim (kind, topic, claim, body_hash, event_id)
select c.kind, c.topic, c.claim, c.body_hash, c.event_id
from unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::text[])
  with ordinality as c(kind, topic, claim, body_hash, event_id, n)
order by c.kind, c.topic, c.claim, c.n
on conflict do nothing
returning kind, topic, claim`,
  },
  settleClaims: {
    name: 'gateway_event_claim_settle',
    text: `
update gateway.event_claim e set partition = c.partition, "offset" = c.place
from unnest($1::text[], $2::text[], $3::text[], $4::integer[], $5::bigint[])
  as c(kind, topic, claim, partition, place)
where e.kind = c.kind and e.topic = c.topic and e.claim = c.claim`,
  },
  dropClaims: {
    name: 'gateway_event_claim_drop',
    text: `
delete from gateway.event_claim e
using unnest($1::text[], $2::text[], $3::text[]) as c(kind, topic, claim)
where e.kind = c.kind and e.topic = c.topic and e.claim = c.claim`,
  },
  findClaims: {
    name: 'gateway_event_claim_find',
    text: `
select c.n, e.event_id, e.partition, e."offset", e.body_hash = c.body_hash as same_body
from unnest($1::text[], $2::text[], $3::text[], $4::bytea[])
  with ordinality as c(kind, topic, claim, body_hash, n)
join gateway.event_claim e on e.kind = c.kind and e.topic = c.topic and e.claim = c.claim`,
  },
  forgetClaims: `
with old as (
  select kind, topic, claim from gateway.event_claim
  where created_at < now() - $1::float8 * interval '1 ms'
  order by created_at limit $2
  for update skip locked
)
delete from gateway.event_claim e using old
where e.kind = old.kind and e.topic = old.topic and e.claim = old.claim`,
  createReplay: {
    name: 'gateway_replay_create',
    text: `
insert into gateway.dead_letter_replay (id, topic, filter, rate_per_second, dry_run, again)
values ($1, $2, $3, $4, $5, $6) returning *`,
  },
  getReplay: {
    name: 'gateway_replay_get',
    text: 'select * from gateway.dead_letter_replay where id = $1',
  },
  listReplays: {
    name: 'gateway_replay_list',
    text: `
select * from gateway.dead_letter_replay
where $1::uuid is null or id < $1 order by id desc limit $2`,
  },
  endReplay: {
    name: 'gateway_replay_end',
    text: `
update gateway.dead_letter_replay set state = $2, error = $3, updated_at = now()
where id = $1 and state = 'running'`,
  },
  dueReplay: {
    name: 'gateway_replay_due',
    text: `
select *, least(rate_per_second,
  1 + floor(extract(epoch from now() - due_at) * rate_per_second))::integer as allowance
from gateway.dead_letter_replay
where state = 'running' and due_at <= now()
order by due_at limit 1`,
  },
  lockReplay: {
    name: 'gateway_replay_lock',
    text: `
select from gateway.dead_letter_replay
where id = $1 and state = 'running' and position is not distinct from $2
for no key update`,
  },
  advanceReplay: {
    name: 'gateway_replay_advance',
    text: `
update gateway.dead_letter_replay set position = $2,
  state = case when $3::boolean then 'done' else state end,
  matched = matched + $4::integer, replayed = replayed + $5::integer,
  skipped = skipped + $6::integer, read_until = coalesce($7, read_until), updated_at = now(),
  due_at = now() + $5::integer * interval '1 second' / rate_per_second
where id = $1`,
  },
  markReplayed: {
    name: 'gateway_replayed_mark',
    text: `
insert into gateway.replayed_dead_letter as r (topic, partition, "offset")
select * from unnest($1::text[], $2::integer[], $3::bigint[]) order by 1, 2, 3
on conflict (topic, partition, "offset") do update set replayed_at = now() where $4::boolean
returning topic, partition, "offset"`,
  },
  findReplayed: {
    name: 'gateway_replayed_find',
    text: `
select r.* from unnest($1::text[], $2::integer[], $3::bigint[]) as l(topic, partition, place)
join gateway.replayed_dead_letter r
  on r.topic = l.topic and r.partition = l.partition and r."offset" = l.place`,
  },
  forgetReplayed: `
with old as (
  select topic, partition, "offset" from gateway.replayed_dead_letter
  where replayed_at < now() - $1::float8 * interval '1 ms'
  order by replayed_at limit $2
  for update skip locked
)
delete from gateway.replayed_dead_letter r using old
where r.topic = old.topic and r.partition = old.partition and r."offset" = old."offset"`,
} as const satisfies Record<string, string | Statement>;
