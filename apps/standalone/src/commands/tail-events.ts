import { setTimeout as sleep } from 'node:timers/promises';
import { PlatformError, parseJsonWithBigints, stringifyExactJson } from '@posthaste/contracts';
import type { Command } from 'commander';
import { type ApiClient, apiClientOf } from '../api/api-client.js';
import { type FollowedQuery, followEvents } from '../api/event-follower.js';
import { describeEvent, type EventDetails } from '../display/event-description.js';
import { print, tell } from '../display/output.js';
import { addFilterOptions, type FilterOptions } from './event-filter.js';

interface TailOptions extends FilterOptions {
  readonly beginning?: boolean;
  readonly follow: boolean;
  readonly json?: boolean;
  readonly cloudevents?: boolean;
}

interface EventPage {
  readonly items: readonly EventDetails[];
  readonly next: string | null;
  readonly isLast: boolean;
}

const pageSize = 200;
/** Between two looks for new topics, in ms. */
const lookForTopicsMs = 1_000;
/** What one call of the gateway reads at most. */
const maxTopics = 20;

/** `posthaste events tail`: shows events, and goes on as they come. */
export function addTailCommand(command: Command): void {
  addFilterOptions(
    command
      .command('tail [topics...]')
      .description('show events as they come, of these topics or of all'),
  )
    .option('--beginning', 'begin with the oldest that is kept')
    .option('--no-follow', 'only what there is already, from the beginning or --since')
    .option('--json', 'a line of JSON for each')
    .option('--cloudevents', 'with --json: as CloudEvents')
    .addHelpText(
      'after',
      `
Shows when and where each stands (topic/partition@offset), its name, its key and its
payload. Goes on when the connection is lost, without missing any. Ctrl-C ends it.
Without topics it shows those of all, the ones that are yet to come included; where there
are more than ${maxTopics}, name those to show.

  posthaste events tail orders --since 10m --name order.placed`,
    )
    .action(tail);
}

async function tail(topics: readonly string[], options: TailOptions): Promise<void> {
  const api = apiClientOf(process.env);
  const show = (details: string): void => {
    print(options.json ? details : describeEvent(parseJsonWithBigints(details) as EventDetails));
  };
  if (!options.follow) {
    const known = topics.length > 0 ? topics : await listTopics(api);
    return known.length === 0 ? undefined : showAll(api, toQuery(known, options), show);
  }
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  const query =
    topics.length > 0 ? queryOf(topics, options) : await queryOfAll(api, options, stop.signal);
  if (stop.signal.aborted) return;
  const onLost = (reason: string): void => tell(`${reason}; trying again`);
  for await (const event of followEvents({ api, query, signal: stop.signal, onLost })) show(event);
}

function queryOf(topics: readonly string[], options: TailOptions): FollowedQuery {
  return { current: toQuery(topics, options), changed: () => new Promise(() => {}) };
}

/** Of all topics, those to come included; waits for the first where there is none. */
async function queryOfAll(
  api: ApiClient,
  options: TailOptions,
  signal: AbortSignal,
): Promise<FollowedQuery> {
  let topics: readonly string[] = await listTopics(api);
  // Whatever is in a topic that comes later has come after this began.
  const beginning = options.beginning || topics.length === 0;
  if (topics.length === 0) {
    tell('there is no topic yet; waiting for the first');
    topics = await newTopics(api, topics, signal);
  }
  return {
    get current(): URLSearchParams {
      return toQuery(topics, { ...options, beginning });
    },
    async changed(until) {
      topics = await newTopics(api, topics, until);
    },
  };
}

/** All topics, when there are others than the known ones; the known ones when it is aborted. */
async function newTopics(
  api: ApiClient,
  known: readonly string[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  while (!signal.aborted) {
    await sleep(lookForTopicsMs, undefined, { signal }).catch(() => undefined);
    // A gateway that is away comes back, and what is shown already goes on whatever this finds.
    const topics = signal.aborted ? known : await listTopics(api).catch(() => known);
    if (topics.some((topic) => !known.includes(topic))) return topics;
  }
  return known;
}

/** Page after page, until there is no more. */
async function showAll(
  api: ApiClient,
  query: URLSearchParams,
  show: (details: string) => void,
): Promise<void> {
  query.set('limit', String(pageSize));
  for (;;) {
    const page = await api.call<EventPage>('GET', `/v1/events?${query}`);
    for (const item of page.items) show(stringifyExactJson(item));
    if (page.isLast || page.next === null) return;
    query.set('cursor', page.next);
  }
}

function toQuery(
  topics: readonly string[],
  { name, key, since, beginning, follow, cloudevents }: TailOptions,
): URLSearchParams {
  const from = beginning || !follow ? 'beginning' : undefined;
  const format = cloudevents ? 'cloudevents' : undefined;
  const query = new URLSearchParams({ topic: topics.join(',') });
  for (const [field, value] of Object.entries({ name, key, since, from, format })) {
    if (value !== undefined) query.set(field, value);
  }
  return query;
}

/** All but those of dead letters and retries. @throws PlatformError when they are too many */
async function listTopics(api: ApiClient): Promise<string[]> {
  const page = await api.call<{ items: readonly { name: string }[]; next: string | null }>(
    'GET',
    '/v1/events/topics?limit=500',
  );
  const names = page.items.map(({ name }) => name);
  const topics = names.filter((name) => !/\.dlq$|\.retry\.\d+$/.test(name));
  if (topics.length <= maxTopics && page.next === null) return topics;
  const message = `there are more than ${maxTopics} topics: name those to show`;
  throw new PlatformError('REQUEST_INVALID', message);
}
