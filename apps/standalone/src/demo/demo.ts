import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ApiClient, createApiClient } from '../api/api-client.js';
import { ProgressDisplay, type ProgressOutput } from '../display/progress-display.js';
import { countStates, readStatusCodes, waitUntilQueuesEmpty } from './callback-status.js';
import { outage, recovered } from './fault-profile.js';
import { checkOrder, findUnexplainedRepeats, type OrderReport } from './order-proof.js';
import { type DemoPlan, planDemo } from './plan.js';
import { attemptTimeoutMs, DemoPlatform } from './platform.js';
import { postCallbacks } from './posting.js';
import { DemoReceiver } from './receiver.js';
import { type DemoProgress, renderProgress, renderSummary } from './report.js';

/** Options of `runDemo`. */
export interface DemoOptions {
  /** Number of callbacks to post. */
  readonly callbacks: number;
  /** Number of ordered queues. */
  readonly queues: number;
  /** Seed of the receiver's random faults. */
  readonly seed: number;
  /** True: kills the platform in the middle; not together with `running`. Default: false. */
  readonly kill?: boolean;
  /** Client of a running platform. Default: the demo starts a platform of its own. */
  readonly running?: ApiClient;
}

/** Shares of the callbacks that are delivered when the platform is killed and the outage begins. */
const killAt = 0.3;
const outageAt = 0.6;
const outageMs = 2_500;
/** Time without any delivery after which the demo gives up, in ms. */
const stallTimeoutMs = 60_000;

/**
 * Posts callbacks in ordered queues to a receiver that fails, hangs and recovers, and proves at the
 * end that every queue arrived in order.
 * @param signal ends the demo early, with everything that it started
 * @returns true if everything is proved
 * @throws PlatformError when the platform refuses something; the signal's reason
 */
export async function runDemo(
  options: DemoOptions,
  output: ProgressOutput,
  signal: AbortSignal,
): Promise<boolean> {
  // Fails at once when the platform does not answer; later, posts wait for it.
  await options.running?.call('GET', '/health/ready', { signal });
  const application = `demo-${randomBytes(4).toString('hex')}`;
  const plan = planDemo(application, options.callbacks, options.queues);
  const receiver = await DemoReceiver.start(plan, options.seed);
  let platform: DemoPlatform | undefined;
  try {
    if (!options.running) {
      output.write('Starting Posthaste on a temporary folder…\n');
      platform = await DemoPlatform.start();
      signal.throwIfAborted();
    }
    const api = options.running ?? createApiClient({ url: platform?.url ?? '' });
    return await new Demo({ options, plan, receiver, platform, api, output }).run(signal);
  } finally {
    await platform?.close();
    await receiver.close();
  }
}

/** Parts of a running demo. */
interface DemoParts {
  readonly options: DemoOptions;
  readonly plan: DemoPlan;
  readonly receiver: DemoReceiver;
  readonly platform: DemoPlatform | undefined;
  readonly api: ApiClient;
  readonly output: ProgressOutput;
}

class Demo {
  readonly #parts: DemoParts;
  /** Ids of the accepted callbacks, by `toPath` of their position. */
  readonly #ids = new Map<string, string>();
  readonly #display: ProgressDisplay;

  constructor(parts: DemoParts) {
    this.#parts = parts;
    const { receiver, options, output } = parts;
    const read = (): DemoProgress => ({
      accepted: this.#ids.size,
      delivered: receiver.delivered,
      retried: receiver.retried,
      inFlight: receiver.inFlight,
      queuesDone: receiver.queuesDone,
    });
    this.#display = new ProgressDisplay(output, (elapsedMs) =>
      renderProgress(read(), options, elapsedMs),
    );
  }

  async run(stop: AbortSignal): Promise<boolean> {
    const { api, plan, receiver, platform, options, output } = this.#parts;
    const finished = new AbortController();
    const signal = AbortSignal.any([stop, finished.signal]);
    const work = Promise.all([
      postCallbacks(
        { api, plan, receiverUrl: receiver.url, timeoutMs: attemptTimeoutMs, signal },
        this.#ids,
      ),
      this.#injectFaults(signal),
      receiver.waitForDelivered(options.callbacks),
    ]).then(() => true);
    try {
      const ends: Promise<boolean>[] = [work, this.#detectStall(signal)];
      if (platform) ends.push(platform.crashed);
      const complete = await Promise.race(ends);
      this.#display.close();
      const order = await this.#checkResults(complete, signal);
      output.write(renderSummary({ ...this.#parts, order, elapsedMs: this.#display.elapsedMs }));
      return order.violations.length === 0;
    } finally {
      this.#display.close();
      finished.abort();
      await work.catch(() => undefined);
    }
  }

  /** Kills the platform if asked to, and lets the receiver have an outage. */
  async #injectFaults(signal: AbortSignal): Promise<void> {
    const { options, platform, receiver } = this.#parts;
    if (options.kill && platform) {
      await receiver.waitForDelivered(options.callbacks * killAt);
      await platform.kill();
      this.#display.note('Posthaste was killed (SIGKILL)');
      await platform.startAgain();
      this.#display.note('Posthaste was started again');
    }
    await receiver.waitForDelivered(options.callbacks * outageAt);
    receiver.faultProfile = outage;
    this.#display.note('the receiver is down: it fails, hangs, resets');
    await sleep(outageMs, undefined, { signal });
    receiver.faultProfile = recovered;
    this.#display.note('the receiver has recovered');
  }

  /** Resolves to false when nothing was delivered for a while. */
  async #detectStall(signal: AbortSignal): Promise<false> {
    const { receiver } = this.#parts;
    let delivered = -1;
    while (receiver.delivered > delivered) {
      delivered = receiver.delivered;
      await sleep(stallTimeoutMs, undefined, { signal });
    }
    return false;
  }

  async #checkResults(complete: boolean, signal: AbortSignal): Promise<OrderReport> {
    const { api, plan, receiver } = this.#parts;
    if (complete) await waitUntilQueuesEmpty(api, plan, signal);
    const order = checkOrder(plan, this.#ids, receiver.attempts);
    const statusCodes = await readStatusCodes(api, order.repeats);
    const states = await countStates(api, plan);
    const undelivered = [...states].filter(([state]) => state !== 'delivered');
    return {
      ...order,
      violations: [
        ...order.violations,
        ...findUnexplainedRepeats(order.repeats, statusCodes),
        ...undelivered.map(([state, count]) => `Posthaste reports ${count} callbacks as ${state}`),
      ],
    };
  }
}
