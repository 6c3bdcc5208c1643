/** Program: one of our processes: `service-process.js worker|gateway`, configured by the environment. */

import { createLogger, type Runnable, type RunnableConfig } from '@posthaste/service';

const stopWithinMs = 10_000;

const [name] = process.argv.slice(2);
// Only the service that runs is loaded, because its memory is measured.
if (name === 'worker') await serve((await import('@posthaste/worker')).workerService);
else await serve((await import('@posthaste/gateway')).gatewayService);

async function serve<Config extends RunnableConfig>(runnable: Runnable<Config>): Promise<void> {
  const config = runnable.read(process.env);
  const logger = createLogger({ level: config.logLevel, service: runnable.name });
  const service = await runnable.start(config, logger, new AbortController().signal);
  process.once('SIGTERM', () => void service.close(stopWithinMs).finally(() => process.exit()));
  process.once('disconnect', () => process.exit());
  process.send?.('ready');
}
