import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { ApiKeys } from '@posthaste/access';
import {
  type ClientOptions,
  connect,
  createApiKeyConfig,
  type WebSocketClient,
} from '@posthaste/appsync-client';
import type { NamespaceSettings } from '@posthaste/appsync-server';
import { NamespaceStore } from '@posthaste/appsync-server/postgres';
import { openPostgres } from '@posthaste/postgres';
import { freePort, type ProcessExit, type RunningProcess, startProcess } from '@posthaste/testbed';
import { migratePlatform } from '../test-platform.js';

const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
/** Time of a start on a busy machine, in ms. */
const readyTimeoutMs = 60_000;
/** Time of a stop with a drain, in ms. */
const stopTimeoutMs = 60_000;

/** Gateways as processes of their own, on one database. */
export interface GatewayProcesses {
  /** API key with all rights, of the application `shop`. */
  readonly key: string;
  /** API key for metrics. */
  readonly metricsKey: string;
  /** Starts one more gateway. */
  start(environment?: Readonly<Record<string, string>>): Promise<GatewayProcess>;
  /** Kills all of them. The database stays. */
  close(): Promise<void>;
}

/**
 * Migrates the database, and creates a key and the namespaces `loose`, which is not durable, and
 * `kept`, whose subscribers can get the last 10,000 events after a reconnect. Gateways
 * have no limit of connections of one address, because that is what all clients have here.
 */
export async function openGatewayProcesses({
  url,
}: {
  readonly url: string;
}): Promise<GatewayProcesses> {
  const db = await openPostgres({ url });
  await migratePlatform(db);
  const keys = new ApiKeys(db);
  const wanted = { name: 'test', scopes: ['admin'], applications: ['shop'] } as const;
  const { token: key } = await keys.createKey(wanted);
  const { token: metricsKey } = await keys.createKey({ name: 'metrics', scopes: ['metrics:read'] });
  const namespaces = new NamespaceStore(db);
  const create = (name: string, settings: NamespaceSettings) =>
    namespaces.create({ application: undefined, name }, settings, 'all');
  await create('loose', { durable: false });
  await create('kept', { history: 10_000 });
  await keys.close();
  await db.close();
  const started: GatewayProcess[] = [];
  return {
    ...{ key, metricsKey },
    async start(environment = {}) {
      const gateway = new GatewayProcess(await freePort(), {
        DATABASE_URL: url,
        POSTHASTE_ACCESS: 'keys',
        POSTHASTE_SECRET_KEY: Buffer.alloc(32, 7).toString('base64'),
        POSTHASTE_MAX_CONNECTIONS_PER_ADDRESS: '0',
        // A busy test machine would exceed the delay, and requests would be answered with 503.
        POSTHASTE_MAX_EVENT_LOOP_DELAY: '0',
        ...environment,
      });
      started.push(gateway);
      await gateway.start();
      return gateway;
    },
    async close() {
      await Promise.all(started.map((gateway) => gateway.close()));
    },
  };
}

/** Gateway that can be killed, and started again on its port. */
export class GatewayProcess {
  readonly port: number;
  readonly #env: Readonly<Record<string, string>>;
  readonly #clients: WebSocketClient[] = [];
  #running: RunningProcess | undefined;

  /** Use `GatewayProcesses.start`. */
  constructor(port: number, env: Readonly<Record<string, string>>) {
    this.port = port;
    this.#env = { ...env, POSTHASTE_PORT: String(port) };
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get process(): RunningProcess {
    if (this.#running === undefined) throw new Error('the gateway was not started');
    return this.#running;
  }

  /** Resolves when it is ready. */
  async start(): Promise<void> {
    const ready = new URL('/health/ready', this.url);
    this.#running = await startProcess({ args: [main], env: this.#env, ready, readyTimeoutMs });
  }

  /** Ends it with SIGKILL. */
  async kill(): Promise<void> {
    await this.process.kill();
  }

  /** Ends it with SIGTERM. */
  stop(): Promise<ProcessExit> {
    return this.process.terminate(stopTimeoutMs);
  }

  /** Connects by our client, which ends with the gateway's `close`. */
  async connect(key: string, options: ClientOptions = {}): Promise<WebSocketClient> {
    const config = createApiKeyConfig(`${this.url}/event`, undefined, key);
    const client = await connect(config, options);
    this.#clients.push(client);
    return client;
  }

  /** Publishes by HTTP. Returns the status, or undefined if there was no answer. */
  async post(key: string, channel: string, events: readonly string[]): Promise<number | undefined> {
    try {
      const response = await fetch(`${this.url}/event`, {
        method: 'POST',
        headers: { 'x-api-key': key, 'content-type': 'application/json' },
        body: JSON.stringify({ channel, events }),
      });
      await response.text();
      return response.status;
    } catch {
      return undefined;
    }
  }

  /** Returns the value of a metric without labels. */
  async metric(metricsKey: string, name: string): Promise<number> {
    const response = await fetch(`${this.url}/metrics`, {
      headers: { authorization: `Bearer ${metricsKey}` },
    });
    const line = new RegExp(`^${name} (.*)$`, 'm').exec(await response.text());
    return Number(line?.[1]);
  }

  /** Returns its memory at present, and the most it has had, in MiB. */
  async memory(): Promise<{ readonly residentMib: number; readonly peakMib: number }> {
    const status = await readFile(`/proc/${this.process.pid}/status`, 'utf8');
    const read = (name: string): number =>
      Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) / 1_024;
    return { residentMib: read('VmRSS'), peakMib: read('VmHWM') };
  }

  /** Kills it, and ends its clients. */
  async close(): Promise<void> {
    for (const client of this.#clients.splice(0)) client.close();
    await this.#running?.close();
  }
}
