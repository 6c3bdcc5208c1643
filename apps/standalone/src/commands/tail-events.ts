import { setTimeout as sleep } from 'node:timers/promises';
import { PlatformError, parseJsonWithDigits, stringifyExactJson } from '@posthaste/contracts';
import type { Command } from 'commander';
import { type ApiClient, apiClientFrom } from '../api/api-client.js';
import { type FollowedQuery, followEvents } from '../api/event-follower.js';
import { iterateItems, readPage } from '../api/item-list.js';
import { addOutputOption, type OutputOptions } from '../arguments/output-option.js';
import { describeEvent, type EventDetails } from '../display/event-description.js';
import { print, printStatus } from '../display/output.js';
import { addFilterOptions, type FilterOptions } from './event-filter.js';

interface TailOptions extends FilterOptions, OutputOptions {
  readonly beginning?: boolean;
  readonly follow: boolean;
  readonly cloudevents?: boolean;
}

const pageSize = 200;
const topicPageSize = 500;
/** Pause between two queries for new topics, in ms. */
const topicPollMs = 1_000;
/** Most topics that the gateway reads in one call. */
const maxTopics = 20;

/** Adds `posthaste events tail`, which shows events as they come. */
export function addTailCommand(command: Command): void {
  addFilterOptions(
    addOutputOption(
      command
        .command('tail [topics...]')
        .description('show events of these topics, or of all topics, as they come'),
      'print one line for each event',
    ),
  )
    .option('--beginning', 'begin with the oldest event in the log (default: with new events)')
    .option(
      '--no-follow',
      'show only events that exist already, from the beginning or --since, and exit',
    )
    .option('--cloudevents', 'with -o json: print CloudEvents')
    .addHelpText(
      'after',
      `
Each line shows the time of an event, its position (topic/partition@offset), name, key and
payload. After a lost connection, the command continues where it stopped and misses no event.
Ctrl-C ends it. Without topics, it shows events of all topics, including topics created later;
if there are more than ${maxTopics} topics, name those to show.

Example:
  posthaste events tail orders --since 10m --name 'order.*'`,
    )
    .action(tail);
}

async function tail(topics: readonly string[], options: TailOptions): Promise<void> {
  const api = apiClientFrom(process.env);
  const show = (details: string): void => {
    print(options.json ? details : describeEvent(parseJsonWithDigits(details) as EventDetails));
  };
  if (!options.follow) {
    const known = topics.length > 0 ? topics : await listTopics(api);
    return known.length === 0 ? undefined : showStored(api, toQuery(known, options), show);
  }
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  const query =
    topics.length > 0
      ? toFixedQuery(topics, options)
      : await toAllTopicsQuery(api, options, stop.signal);
  if (stop.signal.aborted) return;
  const onLost = (reason: string): void => printStatus(`${reason}; trying again`);
  for await (const event of followEvents({ api, query, signal: stop.signal, onLost })) show(event);
}

function toFixedQuery(topics: readonly string[], options: TailOptions): FollowedQuery {
  return { current: toQuery(topics, options), changed: () => new Promise(() => {}) };
}

/** Creates a query for all topics, also for later ones. Waits for the first topic if there is none. */
async function toAllTopicsQuery(
  api: ApiClient,
  options: TailOptions,
  signal: AbortSignal,
): Promise<FollowedQuery> {
  let topics: readonly string[] = await listTopics(api);
  // All events of a topic that is created later are newer than the start of this command.
  const beginning = options.beginning || topics.length === 0;
  if (topics.length === 0) {
    printStatus('there is no topic yet; waiting for the first one');
    topics = await waitForNewTopics(api, topics, signal);
  }
  return {
    get current(): URLSearchParams {
      return toQuery(topics, { ...options, beginning });
    },
    async changed(until) {
      topics = await waitForNewTopics(api, topics, until);
    },
  };
}

/** Waits until there are new topics, and returns all; returns the known ones when it is aborted. */
async function waitForNewTopics(
  api: ApiClient,
  known: readonly string[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  while (!signal.aborted) {
    await sleep(topicPollMs, undefined, { signal }).catch(() => undefined);
    // If the list fails, the known topics are still followed, and the list is tried again.
    const topics = signal.aborted ? known : await listTopics(api).catch(() => known);
    if (topics.some((topic) => !known.includes(topic))) return topics;
  }
  return known;
}

/** Shows all stored events, page after page. */
async function showStored(
  api: ApiClient,
  query: URLSearchParams,
  show: (details: string) => void,
): Promise<void> {
  const request = { path: '/v1/events', query: Object.fromEntries(query), limit: pageSize };
  for await (const item of iterateItems<EventDetails>(api, request)) {
    show(stringifyExactJson(item));
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

/**
 * Lists all topics except those of dead letters and retries.
 * @throws PlatformError `REQUEST_INVALID` when there are more than can be followed
 */
async function listTopics(api: ApiClient): Promise<string[]> {
  const request = { path: '/v1/events/topics', limit: topicPageSize };
  const page = await readPage<{ readonly name: string }>(api, request);
  const names = page.items.map(({ name }) => name);
  const topics = names.filter((name) => !/\.dlq$|\.retry\.\d+$/.test(name));
  if (topics.length <= maxTopics && page.next === null) return topics;
  const message = `there are more than ${maxTopics} topics; name those to show`;
  throw new PlatformError('REQUEST_INVALID', message);
}
