import { randomBytes } from 'node:crypto';
import { beforeAll, beforeEach } from 'vitest';
import type { EndpointInput } from '../src/endpoints/endpoint-input.js';
import { Endpoints } from '../src/endpoints/endpoints.js';
import type { SubscribedEvent } from '../src/events/subscribed-event.js';
import { createSecretBox } from '../src/secrets/secret-box.js';
import { Secrets } from '../src/secrets/secrets.js';
import { EventFanout } from '../src/subscriptions/event-fanout.js';
import { Subscriptions } from '../src/subscriptions/subscriptions.js';
import type { StoreOfTest } from './test-store.js';

const rules = { defaultTimeoutMs: 15_000, maxTimeoutMs: 30_000, urlFault: () => undefined };

/** Endpoints, subscriptions and fan-out of the running test. They are opened by hooks. */
export interface FanoutOfTest {
  readonly endpoints: Endpoints;
  readonly subscriptions: Subscriptions;
  readonly fanout: EventFanout;
  /** Creates an endpoint at `https://<name>.example.com/`. Returns its id. */
  readonly endpoint: (name: string, settings?: Partial<EndpointInput>) => Promise<string>;
  /** Stores the callbacks for events. Returns their number. */
  readonly deliver: (...events: SubscribedEvent[]) => Promise<number>;
}

/** Returns a fan-out on the database of the suite. Each test begins without endpoints. */
export function useFanout(store: StoreOfTest): FanoutOfTest {
  let opened: Pick<FanoutOfTest, 'endpoints' | 'subscriptions' | 'fanout'> | undefined;
  const get = () => {
    if (!opened) throw new Error('the fan-out is used outside of a test');
    return opened;
  };
  beforeAll(() => {
    const secrets = new Secrets(store.db, createSecretBox(randomBytes(32)));
    opened = {
      endpoints: new Endpoints({ db: store.db, secrets, rules }),
      subscriptions: new Subscriptions(store.db),
      fanout: new EventFanout({ db: store.db }),
    };
  });
  beforeEach(async () => {
    await store.db.query('delete from callbacks.endpoint');
  });
  return {
    get endpoints() {
      return get().endpoints;
    },
    get subscriptions() {
      return get().subscriptions;
    },
    get fanout() {
      return get().fanout;
    },
    async endpoint(name, settings = {}) {
      const url = `https://${name}.example.com/`;
      return (await get().endpoints.create({ application: '', name, url, ...settings })).endpoint
        .id;
    },
    deliver: (...events) => store.db.transaction((tx) => get().fanout.deliverEvents(tx, events)),
  };
}
