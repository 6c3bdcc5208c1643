import { type Deliveries, type DeliveriesDeps, startDeliveries } from './deliveries.js';
import { type EventStreams, startEventStreams } from './event-streams.js';
import { Housekeeping } from './housekeeping.js';

/** Running worker in the calling thread. */
export interface CallbackWorker extends Deliveries {
  /** Relay to Kafka, when brokers are configured. */
  readonly relay: EventStreams['relay'];
}

/**
 * Starts a whole worker in this thread: deliveries, event streams and housekeeping. Closing it leaves
 * the database open.
 * @throws PlatformError `DATABASE_*` when the database cannot be reached
 */
export async function startCallbackWorker(deps: DeliveriesDeps): Promise<CallbackWorker> {
  const { db, logger, config } = deps;
  const deliveries = await startDeliveries(deps);
  const streams = await startEventStreams(deps);
  const housekeeping = new Housekeeping({ db, log: streams.log, logger }, config);
  return {
    relay: streams.relay,
    async close(limitMs) {
      await Promise.all([deliveries.close(limitMs), housekeeping.close()]);
      await streams.close();
    },
  };
}
