import { type Deliveries, type DeliveriesDeps, startDeliveries } from './deliveries.js';
import { type EventStreams, startEventStreams } from './event-streams.js';
import { Housekeeping } from './housekeeping.js';

/** A worker that runs until it is closed. */
export interface CallbackWorker extends Deliveries {
  /** The relay to Kafka, when brokers are configured. */
  readonly relay: EventStreams['relay'];
}

/**
 * A whole worker in this thread: deliveries, the event log and housekeeping. The database stays open
 * when it is closed.
 * @throws PlatformError `DATABASE_*` when the database is not there
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
