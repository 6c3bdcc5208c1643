import { callbackBody } from '../callback-request.js';
import type { CallbackService } from '../contender.js';
import { toContender } from '../peers/peer.js';
import { peers } from '../peers/peers.js';
import type { Section } from '../report.js';
import { isWanted, type Suite } from '../suite.js';
import { deliveredSections, measureDelivered } from './delivered.js';
import { measureIntake } from './intake.js';
import { measureLatency } from './latency.js';
import type { Measured } from './measured.js';
import { measureMemory } from './memory.js';
import { fullSizes, quickSizes, type Sizes } from './sizes.js';

/**
 * The speed of callbacks: our service against its bars, and beside its peers. With `sizes`,
 * these are measured instead of the full or the quick ones.
 */
export function createCallbacksSuite(service: CallbackService, sizes?: Sizes): Suite {
  return {
    name: 'callbacks',
    description:
      'Callbacks: our rates, latency and memory, beside graphile-worker, pg-boss and BullMQ.',
    sections: {
      ...deliveredSections,
      intake: 'accepted per second over HTTP, beside a bare Fastify route',
      latency: 'accept to delivered at half the maximum rate',
      memory: 'memory of the worker with a small and a large backlog',
    },
    peers: peers.map(({ name }) => name),
    async run(bench, options) {
      const measured: Measured = {
        bench,
        service,
        options,
        sizes: sizes ?? (options.quick ? quickSizes : fullSizes),
      };
      const contenders = peers
        .filter(({ name }) => options.peers?.includes(name) ?? true)
        .map((peer) => toContender(peer, callbackBody));
      const delivered = await measureDelivered(measured, contenders);
      return [
        ...delivered.sections,
        ...(await measureAcceptance(measured, delivered.plainRate)),
        ...(isWanted(options, 'memory') ? [await measureMemory(measured)] : []),
      ];
    },
  };
}

/** Intake, and the latency whose rate follows from it and from the rate of delivery. */
async function measureAcceptance(
  measured: Measured,
  deliveredPerSecond: number | undefined,
): Promise<Section[]> {
  const { options } = measured;
  if (!isWanted(options, 'intake', 'latency')) return [];
  const { section, acceptedPerSecond } = await measureIntake(measured);
  const sections = isWanted(options, 'intake') ? [section] : [];
  if (!isWanted(options, 'latency') || deliveredPerSecond === undefined) return sections;
  return [...sections, await measureLatency(measured, { acceptedPerSecond, deliveredPerSecond })];
}
