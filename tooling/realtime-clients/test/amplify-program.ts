/**
 * Program: uses AWS Amplify as an application does, and prints what it saw as JSON.
 *
 * `node amplify-program.ts <package> <scenario> <endpoint> <mode> <credential>`
 */

const [, , packageName = '', scenario = '', endpoint = '', mode = '', credential = ''] =
  process.argv;

/** Length of the time over which a denied subscription must not disturb its sibling, in ms. */
const watchedMs = 15_000;

/** Functions of Amplify that the program uses. */
interface AmplifyModule {
  readonly Amplify: { configure(resources: object, libraries?: object): void };
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
  connect(channel: string): Promise<Channel>;
  post(channel: string, event: object): Promise<unknown[] | undefined>;
  closeAll(): Promise<void>;
}

/** A subscription, and what came for it. */
interface Watched {
  readonly seen: unknown[];
  readonly errors: string[];
  /** Resolves when an event with this value of `n` has come. */
  arrived(n: number): Promise<void>;
  readonly channel: Channel;
}

const { Amplify } = (await import(packageName)) as AmplifyModule;
const { events } = (await import(`${packageName}/data`)) as { events: Events };

const isOidc = mode === 'oidc';
Amplify.configure(
  {
    API: {
      Events: {
        endpoint,
        region: 'eu-west-1',
        defaultAuthMode: mode,
        ...(isOidc ? {} : { apiKey: credential }),
      },
    },
  },
  isOidc ? { Auth: { tokenProvider: { getTokens } } } : {},
);

const scenarios: Readonly<Record<string, () => Promise<object>>> = {
  session,
  deniedBesidePublish,
  deniedBesideSibling,
};
console.log(JSON.stringify(await scenarios[scenario]?.()));
await events.closeAll();
// Timers of Amplify would keep the process alive.
process.exit();

/** Returns the tokens of a person that is signed in, in the form that Amplify asks for. */
async function getTokens(): Promise<object> {
  const payload = JSON.parse(
    Buffer.from(credential.split('.')[1] ?? '', 'base64url').toString(),
  ) as object;
  return { accessToken: { payload, toString: () => credential } };
}

/** Connects, subscribes, publishes over both transports, and closes. */
async function session(): Promise<object> {
  const room = await watch('/default/room');
  const overSocket = await room.channel.publish({ n: 1, text: 'grüße "all"' });
  const overHttp = await events.post('/default/room', [{ n: 2 }, { n: 3 }]);
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
  const open = await events.connect('/default/room');
  const denied = await subscribeDenied();
  const failed = await open.publish({ n: 1 });
  return { failed: failed ?? [], denied: await denied.error };
}

/** Two subscriptions, of which one is denied. */
async function deniedBesideSibling(): Promise<object> {
  const room = await watch('/default/room');
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

async function subscribeDenied(): Promise<{ error: Promise<boolean> }> {
  const channel = await events.connect('/private/room');
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const subscription = channel.subscribe({
    next: () => resolve(false),
    error: () => resolve(true),
  });
  subscription.ready?.catch(() => undefined);
  return { error: promise };
}

/** Subscribes, and returns when the server has acknowledged. */
async function watch(path: string): Promise<Watched> {
  const channel = await events.connect(path);
  const seen: unknown[] = [];
  const errors: string[] = [];
  const numbers = new Set<unknown>();
  const waiting = new Set<() => void>();
  let isProbed = false;
  const notify = (): void => {
    for (const check of waiting) check();
  };
  const subscription = channel.subscribe({
    next({ event }) {
      if (event.probe === true) isProbed = true;
      else seen.push(event);
      numbers.add(event.n);
      notify();
    },
    error: (error) => errors.push(JSON.stringify(error)),
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
  if (subscription.ready) await subscription.ready;
  else {
    // Before 6.22.1 nothing tells when the subscription is acknowledged.
    while (!isProbed) {
      await channel.publish({ probe: true });
      await pause(50);
    }
  }
  return { seen, errors, channel, arrived: (n) => reached(() => numbers.has(n)) };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
