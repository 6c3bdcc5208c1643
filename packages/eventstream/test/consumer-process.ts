import { createPostgresDriver, offsetBeginning, PostgresLog } from '@posthaste/eventstream';
import { openPostgres } from '@posthaste/postgres';

/**
 * Consumer that a test kills: `consumer-process.ts <url of the database> <lease in ms>`. For each
 * record of the topic `orders` it prints the value, which is the side effect, waits 2 ms, and then
 * commits.
 */
const [url = '', leaseMs = ''] = process.argv.slice(2);
const db = await openPostgres({ url });
const driver = createPostgresDriver(new PostgresLog({ db }), { leaseMs: Number(leaseMs) });

const subscription = driver.subscribe(
  {
    topic: 'orders',
    groupId: 'mail',
    groupInstanceId: undefined,
    startOffset: offsetBeginning,
    drainMs: 1_000,
  },
  {
    assigned: () => undefined,
    revoked: async () => undefined,
    lost: (partitions) => console.log(`lost ${partitions}`),
    interrupted: (error) => console.log('interrupted', error),
    async records(partition, records) {
      for (const { value, offset } of records) {
        console.log(`handled ${value}`);
        await new Promise((resolve) => setTimeout(resolve, 2));
        // Refused when another consumer owns the partition by now; `lost` reports it.
        await subscription
          .commit(new Map([[partition, offset + 1n]]))
          .catch((error: unknown) => console.log(`refused ${Object(error).code}`));
      }
    },
  },
);
