import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

/** Time between two posts, and between two reads. */
const pauseMs = 25;
/** Longest wait for the deliveries at the end. */
const maxWaitMs = 60_000;

/** Times of a tenant that does nothing unusual, in ms. */
export interface NeighbourTimes {
  /** From the post of a callback to its delivery. */
  readonly deliveries: readonly number[];
  /** Of a request for a page of its callbacks. */
  readonly reads: readonly number[];
}

/** Addresses and key of a neighbour. */
export interface NeighbourOptions {
  readonly gatewayUrl: string;
  readonly receiverUrl: string;
  readonly token: string;
  /** Arrival of each path, on the clock of `performance.now`. */
  readonly arrivals: ReadonlyMap<string, number>;
}

/** A tenant with an application of its own, `neighbour`. Posts a callback and reads a page every 25 ms. */
export class Neighbour {
  readonly #options: NeighbourOptions;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 8 });
  #sent = 0;

  constructor(options: NeighbourOptions) {
    this.#options = options;
  }

  /** Measures for a time. */
  async measure(durationMs: number): Promise<NeighbourTimes> {
    const sent = new Map<string, number>();
    const pending: Promise<unknown>[] = [];
    const reads: number[] = [];
    const end = performance.now() + durationMs;
    while (performance.now() < end) {
      this.#sent += 1;
      const path = `/neighbour/${this.#sent}`;
      sent.set(path, performance.now());
      pending.push(this.#post(path));
      pending.push(this.#read().then((ms) => reads.push(ms)));
      await sleep(pauseMs);
    }
    await Promise.all(pending);
    const { arrivals } = this.#options;
    const lastMoment = performance.now() + maxWaitMs;
    const isMissing = () => [...sent.keys()].some((path) => !arrivals.has(path));
    while (isMissing() && performance.now() < lastMoment) await sleep(20);
    const deliveries = [...sent].map(([path, at]) => (arrivals.get(path) ?? lastMoment) - at);
    return { deliveries, reads };
  }

  close(): void {
    this.#agent.destroy();
  }

  #post(path: string): Promise<number> {
    const { receiverUrl } = this.#options;
    const queue = `q${this.#sent % 7}`;
    return this.#send('/v1/callbacks', JSON.stringify({ url: receiverUrl + path, queue }));
  }

  #read(): Promise<number> {
    return this.#send('/v1/callbacks?limit=10');
  }

  /** Returns the time until the answer has ended. */
  #send(path: string, body?: string): Promise<number> {
    const { gatewayUrl, token } = this.#options;
    const startedAt = performance.now();
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const method = body === undefined ? 'GET' : 'POST';
    return new Promise((resolve, reject) => {
      request(gatewayUrl + path, { method, headers, agent: this.#agent })
        .on('error', reject)
        .on('response', (answer) => {
          answer.resume().once('end', () => resolve(performance.now() - startedAt));
          if ((answer.statusCode ?? 0) >= 400) {
            reject(new Error(`${method} ${path} was answered with ${answer.statusCode}`));
          }
        })
        .end(body);
    });
  }
}
