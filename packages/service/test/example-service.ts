/**
 * Program of a service that behaves as its arguments say. `--start` is how its start ends, after
 * `--start-ms`; `--close-ms` is the time that stopping takes.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { PlatformError } from '@posthaste/contracts';
import { runService, untilMet } from '@posthaste/service';

const { values } = parseArgs({
  options: {
    read: { type: 'string' },
    start: { type: 'string' },
    'start-ms': { type: 'string', default: '0' },
    'close-ms': { type: 'string', default: '0' },
    'limit-ms': { type: 'string', default: '10000' },
  },
});

await runService({
  name: 'example',
  read() {
    if (values.read === 'fault') throw new PlatformError('CONFIG_INVALID', 'all of it is wrong');
    return { logLevel: 'info', stopTimeoutMs: Number(values['limit-ms']) };
  },
  async start(_config, logger, signal) {
    await sleep(1);
    logger.info('starting');
    await sleep(Number(values['start-ms']));
    if (values.start === 'waits') {
      const condition = () =>
        Promise.reject(new PlatformError('DATABASE_UNAVAILABLE', 'it is away'));
      await untilMet(condition, { signal, logger, retryMs: 50 });
    }
    if (values.start === 'refused') throw new PlatformError('LISTEN_FAILED', 'the port is taken');
    if (values.start === 'defect') throw new TypeError('not a function');
    // Keeps the process alive, as a listening server would.
    setInterval(() => undefined, 60_000);
    if (values.start === 'late-defect') setTimeout(() => Promise.reject(new Error('late')), 10);
    logger.info('started');
    return {
      async close(limitMs) {
        logger.info({ limitMs }, 'closing');
        await sleep(Number(values['close-ms']));
        logger.info('closed');
      },
    };
  },
});
