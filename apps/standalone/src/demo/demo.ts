import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ApiClient, createApiClient } from '../api/api-client.js';
import { ProgressDisplay, type ProgressOutput } from '../display/progress-display.js';
import { findUnexcused, judgeArrivals, type Verdict } from './order-proof.js';
import { type DemoPlan, planDemo } from './plan.js';
import { attemptTimeoutMs, DemoPlatform } from './platform.js';
import { postCallbacks } from './posting.js';
import { type DemoProgress, renderProgress } from './progress.js';
import { DemoReceiver } from './receiver.js';
import { countOutcomes, readHistories, waitUntilSettled } from './records.js';
import { renderSummary } from './summary.js';
import { outage, recovered } from './weather.js';

export interface DemoOptions {
  readonly callbacks: number;
  readonly queues: number;
  readonly seed: number;
  /** Whether the platform is killed in the middle. Only one of its own can be. Default: no. */
  readonly kill?: boolean;
  /** A running platform. Default: one of its own is started. */
  readonly running?: ApiClient;
}

/** Shares of the callbacks that are delivered when the platform is killed, and the receiver fails. */
const killAt = 0.3;
const outageAt = 0.6;
const outageMs = 2_500;
/** Without any delivery for so long, it is taken for stuck. */
const maxSilenceMs = 60_000;

/**
 * Posts callbacks in ordered queues to a receiver that fails, hangs and recovers, and proves at the
 * end that every queue arrived in order.
 * @param signal ends it early, with everything that it started
 * @returns whether all is proved
 * @throws PlatformError when the platform refuses something; the signal's reason
 */
export async function runDemo(
  options: DemoOptions,
  output: ProgressOutput,
  signal: AbortSignal,
): Promise<boolean> {
  // One that is not there at all is told at once; later, posts are patient with it.
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
  /** Ids of the accepted callbacks, by the path that stands for their place. */
  readonly #ids = new Map<string, string>();
  readonly #display: ProgressDisplay;

  constructor(parts: DemoParts) {
    this.#parts = parts;
    const { receiver, options, output } = parts;
    const read = (): DemoProgress => ({
      accepted: this.#ids.size,
      delivered: receiver.taken,
      retried: receiver.repeated,
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
      this.#trouble(signal),
      receiver.takes(options.callbacks),
    ]).then(() => true);
    try {
      const ends: Promise<boolean>[] = [work, this.#stuck(signal)];
      if (platform) ends.push(platform.crashed);
      const complete = await Promise.race(ends);
      this.#display.close();
      const verdict = await this.#judge(complete, signal);
      output.write(renderSummary({ ...this.#parts, verdict, elapsedMs: this.#display.elapsedMs }));
      return verdict.faults.length === 0;
    } finally {
      this.#display.close();
      finished.abort();
      await work.catch(() => undefined);
    }
  }

  /** What goes wrong on purpose, beside the receiver's everyday misbehaviour. */
  async #trouble(signal: AbortSignal): Promise<void> {
    const { options, platform, receiver } = this.#parts;
    if (options.kill && platform) {
      await receiver.takes(options.callbacks * killAt);
      await platform.kill();
      this.#display.note('Posthaste was killed (SIGKILL)');
      await platform.startAgain();
      this.#display.note('Posthaste was started again');
    }
    await receiver.takes(options.callbacks * outageAt);
    receiver.weather = outage;
    this.#display.note('the receiver is down: it fails, hangs, resets');
    await sleep(outageMs, undefined, { signal });
    receiver.weather = recovered;
    this.#display.note('the receiver has recovered');
  }

  /** Resolves to false once nothing was delivered for a while. */
  async #stuck(signal: AbortSignal): Promise<false> {
    const { receiver } = this.#parts;
    let taken = -1;
    while (receiver.taken > taken) {
      taken = receiver.taken;
      await sleep(maxSilenceMs, undefined, { signal });
    }
    return false;
  }

  async #judge(complete: boolean, signal: AbortSignal): Promise<Verdict> {
    const { api, plan, receiver } = this.#parts;
    if (complete) await waitUntilSettled(api, plan, signal);
    const verdict = judgeArrivals(plan, this.#ids, receiver.arrivals);
    const histories = await readHistories(api, verdict.repeats);
    const outcomes = await countOutcomes(api, plan);
    const undelivered = [...outcomes].filter(([state]) => state !== 'delivered');
    return {
      ...verdict,
      faults: [
        ...verdict.faults,
        ...findUnexcused(verdict.repeats, histories),
        ...undelivered.map(([state, count]) => `${count} callbacks are ${state}, says Posthaste`),
      ],
    };
  }
}
