import type { RunningContender } from './contenders.js';
import { framesBeforeEvents } from './contenders.js';
import { CheapClient } from './subscriber.js';

const eventBytes = 200;
/** Clients that connect at the same time. */
const connecting = 64;
/** Time without any new message after which a run has failed, in ms. */
const silenceMs = 20_000;

/** An event of 200 bytes. */
export const event: string = JSON.stringify({
  text: 'x'.repeat(eventBytes - '{"text":""}'.length),
});

/** Subscribers of one channel, and a publisher. */
export class Load {
  readonly subscribers: CheapClient[] = [];
  /** Messages that have come to subscribers. */
  received = 0;
  published = 0;
  /** Is called after messages have come. */
  onReceived: (client: CheapClient, count: number) => void = () => undefined;
  readonly #servers: readonly RunningContender[];
  readonly #publisherCount: number;
  #publishers: CheapClient[] = [];
  #opened = 0;

  /**
   * @param servers that subscribers are spread over; the publishers are at the first one
   * @param publishers connections that publish in turn: a server may limit the publishes of each
   */
  constructor(servers: readonly RunningContender[], publishers = 1) {
    this.#servers = servers;
    this.#publisherCount = publishers;
  }

  /** Connects and subscribes so many clients. Resolves when the server has acknowledged all. */
  async subscribe(count: number): Promise<void> {
    let left = count;
    const next = async (): Promise<void> => {
      while (left > 0) {
        left -= 1;
        this.subscribers.push(await this.#open());
      }
    };
    await Promise.all(Array.from({ length: connecting }, next));
    if (this.#publishers.length > 0) return;
    const opening = Array.from({ length: this.#publisherCount }, () => this.#openPublisher());
    this.#publishers = await Promise.all(opening);
  }

  /** Publishes one event. */
  publish(): void {
    this.published += 1;
    const publisher = this.#publishers[this.published % this.#publishers.length];
    publisher?.send(this.#first.contender.wire.publish(event, this.published));
  }

  /** Resolves when so many messages have come. @throws Error if nothing comes any more */
  async arrived(messages: number): Promise<void> {
    let before = this.received;
    let changedAt = Date.now();
    while (this.received < messages) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      if (this.received !== before) changedAt = Date.now();
      before = this.received;
      if (Date.now() - changedAt < silenceMs) continue;
      throw new Error(`${this.received} of ${messages} messages have come`);
    }
  }

  close(): void {
    for (const client of [...this.subscribers, ...this.#publishers]) client.close();
  }

  get #first(): RunningContender {
    const [first] = this.#servers;
    if (first === undefined) throw new Error('there is no server');
    return first;
  }

  #open(): Promise<CheapClient> {
    const server = this.#servers[this.#opened % this.#servers.length] ?? this.#first;
    this.#opened += 1;
    return new Promise((resolve) => {
      new CheapClient(server, (client, events) => {
        if (client.counter.frames >= framesBeforeEvents) resolve(client);
        if (events === 0) return;
        this.received += events;
        this.onReceived(client, events);
      });
    });
  }

  /** Opens the publisher, which is ready when it could subscribe: its own messages are not counted. */
  #openPublisher(): Promise<CheapClient> {
    const { contender } = this.#first;
    const steps = contender.wire.steps.map((texts) =>
      texts.filter((text) => !text.includes('subscribe') && !text.includes('join')),
    );
    const server = {
      ...this.#first,
      contender: { ...contender, wire: { ...contender.wire, steps } },
    };
    return new Promise((resolve) => {
      new CheapClient(server, (client) => {
        // The acknowledgement and `ka`, or both openings of socket.io.
        if (client.counter.frames >= 2) resolve(client);
      });
    });
  }
}
