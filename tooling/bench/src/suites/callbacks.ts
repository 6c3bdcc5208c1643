import { callbackBody } from '../callback-request.js';
import type { CallbackService } from '../contender.js';
import { toContender } from '../peers/peer.js';
import { peers } from '../peers/peers.js';
import type { Section } from '../report.js';
import { isWanted, type Suite } from '../suite.js';
import { deliveredSections, measureDelivered } from './delivered.js';
import { measureIntake } from './intake.js';
import { measureLatency } from './latency.js';
import type { MeasurementContext } from './measurement-context.js';
import { measureMemory } from './memory.js';
import { fullSizes, quickSizes, type Sizes } from './sizes.js';

/**
 * Creates the suite for callbacks: our service with its bars, next to its peers.
 * @param sizes replace the full or quick sizes
 */
export function createCallbacksSuite(service: CallbackService, sizes?: Sizes): Suite {
  return {
    name: 'callbacks',
    description:
      'Callbacks: our rates, latency and memory, next to graphile-worker, pg-boss and BullMQ.',
    sections: {
      ...deliveredSections,
      intake: 'accepted per second over HTTP, next to a bare Fastify route',
      latency: 'accept to delivered at half the maximum rate',
      memory: 'memory of the worker with a small and a large backlog',
    },
    peers: peers.map(({ name }) => name),
    async run(bench, options) {
      const context: MeasurementContext = {
        bench,
        service,
        options,
        sizes: sizes ?? (options.quick ? quickSizes : fullSizes),
      };
      const contenders = peers
        .filter(({ name }) => options.peers?.includes(name) ?? true)
        .map((peer) => toContender(peer, callbackBody));
      const delivered = await measureDelivered(context, contenders);
      return [
        ...delivered.sections,
        ...(await measureAcceptance(context, delivered.plainRate)),
        ...(isWanted(options, 'memory') ? [await measureMemory(context)] : []),
      ];
    },
  };
}

/** Measures intake, and then the latency, at a rate that follows from the rates of intake and delivery. */
async function measureAcceptance(
  context: MeasurementContext,
  deliveredPerSecond: number | undefined,
): Promise<Section[]> {
  const { options } = context;
  if (!isWanted(options, 'intake', 'latency')) return [];
  const { section, acceptedPerSecond } = await measureIntake(context);
  const sections = isWanted(options, 'intake') ? [section] : [];
  if (!isWanted(options, 'latency') || deliveredPerSecond === undefined) return sections;
  return [...sections, await measureLatency(context, { acceptedPerSecond, deliveredPerSecond })];
}
