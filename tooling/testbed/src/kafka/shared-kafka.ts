import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type KafkaBroker, startKafka } from './broker.js';
import { kafkaAdvice } from './source.js';

/** Kafka that all tests of a run share, so no test may stop it or change its settings. */
export type SharedKafka = Pick<KafkaBroker, 'kind' | 'brokers'>;

/** Offer of a Kafka to the test processes of a run. */
export interface SharedKafkaOffer {
  /** URL at which `sharedKafka` asks for the addresses of the brokers. */
  readonly url: string;
  /** Ends the offer, and the broker if it was started. */
  close(): Promise<void>;
}

/**
 * Offers a Kafka to the test processes of a run. It is started when the first of them asks for it, so a
 * run without tests of Kafka does not pay for one.
 */
export async function offerSharedKafka(): Promise<SharedKafkaOffer> {
  let starting: Promise<KafkaBroker> | undefined;
  const answer = async (_request: IncomingMessage, response: ServerResponse): Promise<void> => {
    try {
      starting ??= startKafka();
      const { kind, brokers } = await starting;
      response.end(JSON.stringify({ kind, brokers } satisfies SharedKafka));
    } catch (error) {
      // The next test tries again.
      starting = undefined;
      response.writeHead(500).end(String(error));
    }
  };
  const server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  // The run must end although a test process keeps a connection open.
  server.unref();
  return {
    url: `http://127.0.0.1:${port}`,
    close: async () => {
      server.close();
      server.closeAllConnections();
      await starting?.then(
        (broker) => broker.close(),
        () => undefined,
      );
    },
  };
}

/**
 * Returns the Kafka of the test run, which is started for the first caller (inside vitest only).
 * @throws Error if there is none, or it does not start
 */
export async function sharedKafka(): Promise<SharedKafka> {
  // Imported only here, because a program that is not a test cannot import vitest.
  const { inject } = await import('vitest');
  const url = inject('sharedKafkaUrl');
  if (url === undefined) throw new Error(`no Kafka for tests: ${kafkaAdvice}`);
  const response = await fetch(url);
  const body = await response.text();
  if (!response.ok) throw new Error(`the Kafka of the test run did not start: ${body}`);
  return JSON.parse(body) as SharedKafka;
}
