/**
 * Program: uses AWS Amplify as an application does, and prints what it saw as JSON.
 *
 * `node amplify-program.ts <task>`, where the task is the JSON of `AmplifyTask`.
 */

import type { AmplifyTask } from './run-amplify.js';

const task = JSON.parse(process.argv[2] ?? '') as AmplifyTask;
const { channel: path, denied: deniedPath = '/private/room' } = task;

/** Length of the time over which a denied subscription must not disturb its sibling, in ms. */
const watchedMs = 15_000;
const manySubscriptions = 1_001;

/** Functions of Amplify that the program uses. */
interface AmplifyModule {
  readonly Amplify: { configure(resources: object, libraries?: object): void };
}

/** Hub of Amplify, which tells of its states. */
interface AmplifyHub {
  listen(
    channel: string,
    listener: (message: { payload: { event: string; data?: { query?: string } } }) => void,
  ): void;
}

interface Observer {
  next(message: { event: Record<string, unknown> }): void;
  error(error: unknown): void;
}

interface Channel {
  /** `ready` is new in 6.22.1. */
  subscribe(observer: Observer): { readonly ready?: Promise<void>; unsubscribe(): void };
  publish(event: object): Promise<unknown[] | undefined>;
  close(): void;
}

interface Events {
  connect(channel: string, options?: object): Promise<Channel>;
  post(channel: string, event: object, options?: object): Promise<unknown[] | undefined>;
  closeAll(): Promise<void>;
}

/** A subscription, and what came for it. */
interface Watched {
  readonly seen: unknown[];
  readonly errors: string[];
  readonly channel: Channel;
  /** Resolves when an event with this value of `n` has come. */
  arrived(n: number): Promise<void>;
  /** Resolves when Amplify has reported an error. */
  readonly failed: Promise<void>;
}

const { Amplify } = (await import(task.package)) as AmplifyModule;
const { events } = (await import(`${task.package}/data`)) as { events: Events };

const { Hub } = (await import(`${task.package}/utils`)) as { Hub: AmplifyHub };

const acknowledgements = new Map<string, PromiseWithResolvers<void>>();
Hub.listen('api', ({ payload: { event, data } }) => {
  if (event === 'Subscription ack') acknowledgementOf(String(data?.query)).resolve();
});

const { mode } = task;
const options = mode === 'lambda' ? { authToken: task.credential } : {};
const providers = {
  apiKey: {},
  lambda: {},
  oidc: { Auth: { tokenProvider: { getTokens } } },
  iam: {
    Auth: { credentialsProvider: { getCredentialsAndIdentityId, clearCredentialsAndIdentityId } },
  },
};
const apiKey = mode === 'apiKey' ? { apiKey: task.credential } : {};
const api = { endpoint: task.endpoint, region: 'eu-west-1', defaultAuthMode: mode, ...apiKey };
Amplify.configure({ API: { Events: api } }, providers[mode]);

const scenarios: Readonly<Record<AmplifyTask['scenario'], () => Promise<object>>> = {
  session,
  deniedBesidePublish,
  deniedBesideSibling,
  follow,
  followToTheEnd,
  subscribeMany,
};
console.log(JSON.stringify(await scenarios[task.scenario]()));
await events.closeAll();
// Timers of Amplify would keep the process alive.
process.exit();

/** Returns the promise of the acknowledgement for a channel. */
function acknowledgementOf(channelPath: string): PromiseWithResolvers<void> {
  const known = acknowledgements.get(channelPath) ?? Promise.withResolvers<void>();
  acknowledgements.set(channelPath, known);
  return known;
}

/** Returns the tokens of a person that is signed in, in the form that Amplify asks for. */
async function getTokens(): Promise<object> {
  const text = await (await fetch(task.credential)).text();
  return { accessToken: { payload: {}, toString: () => text } };
}

/** Returns the IAM keys of a person that is signed in, in the form that Amplify asks for. */
async function getCredentialsAndIdentityId(): Promise<object> {
  return { credentials: JSON.parse(task.credential) as object };
}

function clearCredentialsAndIdentityId(): void {
  // Nothing is kept.
}

/** Connects, subscribes, publishes over both transports, and closes. */
async function session(): Promise<object> {
  const room = await watch(path);
  const overSocket = await room.channel.publish({ n: 1, text: 'grüße "all"' });
  const overHttp = await events.post(path, [{ n: 2 }, { n: 3 }], options);
  await Promise.all([1, 2, 3].map((n) => room.arrived(n)));
  room.channel.close();
  return {
    seen: room.seen,
    errors: room.errors,
    failed: [overSocket ?? [], overHttp ?? []].flat(),
  };
}

/** Publishes on one channel while the subscription of another one is denied on the same socket. */
async function deniedBesidePublish(): Promise<object> {
  const open = await events.connect(path, options);
  const denied = await subscribeDenied();
  const failed = await open.publish({ n: 1 });
  return { failed: failed ?? [], denied: await denied.error };
}

/** Two subscriptions, of which one is denied. */
async function deniedBesideSibling(): Promise<object> {
  const room = await watch(path);
  const denied = await subscribeDenied();
  await denied.error;
  const until = Date.now() + watchedMs;
  let published = 0;
  while (Date.now() < until) {
    published += 1;
    await room.channel.publish({ n: published });
    await room.arrived(published);
    await pause(500);
  }
  return { published, seen: room.seen.length, errors: room.errors };
}

/** Subscribes, reports that it has, and ends with the event that others publish as number 1. */
async function follow(): Promise<object> {
  const room = await watch(path);
  console.log('subscribed');
  await room.arrived(1);
  return { errors: room.errors };
}

/** Subscribes, reports that it has, and ends when Amplify gives up. */
async function followToTheEnd(): Promise<object> {
  const room = await watch(path);
  console.log('subscribed');
  await room.failed;
  return { errors: room.errors };
}

/** Subscribes to many channels: those that are accepted go on. */
async function subscribeMany(): Promise<object> {
  const sibling = await watch(`${path}/sibling`);
  const outcomes = Array.from({ length: manySubscriptions - 1 }, async (_, n) => {
    const channel = await events.connect(`${path}/${n}`, options);
    const { promise, resolve } = Promise.withResolvers<string>();
    channel.subscribe({ next: () => undefined, error: (error) => resolve(JSON.stringify(error)) });
    void acknowledgementOf(`${path}/${n}`).promise.then(() => resolve('accepted'));
    return promise;
  });
  const found = await Promise.all(outcomes);
  await sibling.channel.publish({ n: 1 });
  await sibling.arrived(1);
  const refusals = found.filter((outcome) => outcome !== 'accepted');
  const kinds = [...new Set(refusals)];
  return { refused: refusals.length, kinds, errors: sibling.errors };
}

async function subscribeDenied(): Promise<{ error: Promise<boolean> }> {
  const channel = await events.connect(deniedPath, options);
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const subscription = channel.subscribe({
    next: () => resolve(false),
    error: () => resolve(true),
  });
  subscription.ready?.catch(() => undefined);
  return { error: promise };
}

/** Subscribes, and returns when the server has acknowledged. */
async function watch(channelPath: string): Promise<Watched> {
  const channel = await events.connect(channelPath, options);
  const seen: unknown[] = [];
  const errors: string[] = [];
  const numbers = new Set<unknown>();
  const waiting = new Set<() => void>();
  const failed = Promise.withResolvers<void>();
  const notify = (): void => {
    for (const check of waiting) check();
  };
  const subscription = channel.subscribe({
    next({ event }) {
      seen.push(event);
      numbers.add(event.n);
      notify();
    },
    error(error) {
      errors.push(JSON.stringify(error));
      failed.resolve();
    },
  });
  const reached = (isReached: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      const check = (): void => {
        if (!isReached()) return;
        waiting.delete(check);
        resolve();
      };
      waiting.add(check);
      check();
    });
  // Before 6.22.1 only the hub of Amplify tells that the subscription is acknowledged.
  await (subscription.ready ?? acknowledgementOf(channelPath).promise);
  const arrived = (n: number) => reached(() => numbers.has(n));
  return { seen, errors, channel, arrived, failed: failed.promise };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
