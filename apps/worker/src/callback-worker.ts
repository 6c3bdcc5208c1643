import { type Deliveries, type DeliveriesDeps, startDeliveries } from './deliveries.js';
import { Housekeeping } from './housekeeping.js';

/**
 * A whole worker in this thread: deliveries and housekeeping. The database stays open when it is
 * closed.
 * @throws PlatformError `DATABASE_*` when the database is not there
 */
export async function startCallbackWorker(deps: DeliveriesDeps): Promise<Deliveries> {
  const deliveries = await startDeliveries(deps);
  const housekeeping = new Housekeeping(deps.db, deps.logger, deps.config);
  return {
    async close(limitMs) {
      await Promise.all([deliveries.close(limitMs), housekeeping.close()]);
    },
  };
}
