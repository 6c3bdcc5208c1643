import type { Scope } from '@posthaste/access';
import { PostgresLog } from '@posthaste/eventstream';
import type { Call } from '../caller.js';
import { putDeadLetters } from '../dead-letters.js';
import type { TestPlatform } from '../test-platform.js';

/** Time at which callbacks of this test are due: never while it runs. */
export const nextYear: string = new Date(Date.now() + 365 * 86_400_000).toISOString();

/** Request of one route, without its method. */
export interface Sent {
  readonly url: string;
  readonly body?: unknown;
  /** Id of the thing that it is about, for routes whose source is `owner`. */
  readonly id?: string;
}

/** Call of one route. */
export interface RouteCase {
  /**
   * Creates what the route needs in the application, and returns a valid request about it, which
   * names the application where the route takes a name.
   */
  readonly make: (world: World, application: string) => Sent | Promise<Sent>;
  /** Status of the answer to a caller that may. Default 200. */
  readonly status?: number;
  /** Scopes that the request needs, on a route that is for any. Default `queues:read`. */
  readonly scopes?: readonly Scope[];
  /** False for lists that show nothing here even to the owner. Default true. */
  readonly shows?: false;
}

/** Cases by method and pattern: `GET /v1/keys`. */
export type RouteCases = Readonly<Record<string, RouteCase>>;

/** Things of applications, created as somebody for all. */
export class World {
  readonly log: PostgresLog;
  readonly #platform: TestPlatform;
  readonly #all: Call;
  /** Ids and names that only the owner may see. */
  readonly #marks = new Map<string, Set<string>>();
  #count = 0;

  constructor(platform: TestPlatform, all: Call) {
    this.#platform = platform;
    this.#all = all;
    this.log = new PostgresLog({ db: platform.db });
  }

  /** Returns the ids and names of all that an application has. */
  marksOf(application: string): readonly string[] {
    return [application, ...(this.#marks.get(application) ?? [])];
  }

  /** Returns a name that belongs to the application. */
  name(application: string): string {
    this.#count += 1;
    const name = `secret-thing-${String(this.#count).padStart(4, '0')}`;
    this.#mark(application, name);
    return name;
  }

  /** Creates something and returns its id. */
  async create(application: string, url: string, body?: object): Promise<string> {
    const answer = await this.#all<{ id: string }>('POST', url, body);
    if (answer.status !== 201 && answer.status !== 202)
      throw new Error(`POST ${url}: ${answer.body}`);
    this.#mark(application, answer.json.id);
    return answer.json.id;
  }

  /** Sends a request that must succeed, and returns the answer. */
  async call<T>(...[method, url, body]: Parameters<Call>): Promise<T> {
    const answer = await this.#all<T>(method, url, body);
    if (answer.status >= 300) throw new Error(`${method} ${url}: ${answer.body}`);
    return answer.json;
  }

  callback(application: string, more: object = {}): Promise<string> {
    const body = { url: 'https://example.com/', deliverAfter: nextYear };
    return this.create(application, '/v1/callbacks', { ...body, application, ...more });
  }

  async cancelledCallback(application: string): Promise<string> {
    const id = await this.callback(application);
    await this.call('POST', `/v1/callbacks/${id}/cancel`);
    return id;
  }

  async endpoint(application: string): Promise<string> {
    const body = { application, name: this.name(application), url: 'https://example.com/' };
    const { endpoint } = await this.call<{ endpoint: { id: string } }>(
      'POST',
      '/v1/endpoints',
      body,
    );
    this.#mark(application, endpoint.id);
    return endpoint.id;
  }

  async subscription(application: string): Promise<string> {
    const endpointId = await this.endpoint(application);
    return this.create(application, '/v1/subscriptions', { endpointId, eventName: 'a.b' });
  }

  async secret(application: string): Promise<string> {
    const name = this.name(application);
    await this.call('POST', '/v1/secrets', { application, name });
    return name;
  }

  /** Creates a policy that belongs to the application. */
  async policy(application: string): Promise<string> {
    const name = this.name(application);
    const body = { phases: [{ retries: 1, delayMs: 1_000 }] };
    await this.call('PUT', `/v1/retry-policies/${name}?application=${application}`, body);
    return name;
  }

  async queue(application: string): Promise<string> {
    const queue = this.name(application);
    await this.callback(application, { queue });
    return queue;
  }

  replay(application: string): Promise<string> {
    return this.create(application, '/v1/replays', { filter: { application, state: 'cancelled' } });
  }

  /** Publishes an event and returns its topic. */
  async topic(application: string): Promise<string> {
    const topic = this.name(application);
    const name = `event.${this.name(application)}`;
    await this.call('POST', '/v1/events', { topic, name, application });
    return topic;
  }

  /** Writes a dead letter and returns the topic that it comes from. */
  async deadLetter(application: string): Promise<string> {
    const topic = await this.topic(application);
    const letter = { name: `event.${this.name(application)}`, topic, application };
    await putDeadLetters({ db: this.#platform.db, log: this.log }, [letter]);
    return topic;
  }

  async letterReplay(application: string): Promise<string> {
    const topic = await this.deadLetter(application);
    return this.create(application, '/v1/events/dead-letters/replays', { topic, application });
  }

  /** Creates a namespace of realtime channels. */
  async namespace(application: string): Promise<string> {
    const name = this.name(application);
    await this.call('POST', '/v1/namespaces', { application, name });
    return name;
  }

  key(application: string): Promise<string> {
    const body = { name: this.name(application), scopes: ['admin'], applications: [application] };
    return this.create(application, '/v1/keys', body);
  }

  /** Creates an address of mails that waits for its confirmation. */
  async recipient(application: string): Promise<string> {
    const notificationEmail = `${this.name(application)}@example.com`;
    const token = await this.#platform.createKey({ applications: [application] });
    const body = { url: 'https://example.com/', deliverAfter: nextYear };
    await this.#platform.as(token)('POST', '/v1/callbacks', { ...body, notificationEmail });
    const { items } = await this.call<{ items: { id: string; address: string }[] }>(
      'GET',
      `/v1/mail-recipients?application=${application}&limit=100`,
    );
    const [recipient] = items.filter(({ address }) => address === notificationEmail);
    if (!recipient) throw new Error(`there is no recipient ${notificationEmail}`);
    this.#mark(application, recipient.id);
    return recipient.id;
  }

  #mark(application: string, mark: string): void {
    const marks = this.#marks.get(application) ?? new Set();
    this.#marks.set(application, marks.add(mark));
  }
}
