import type { Logger } from 'pino';
import { exitCodes, reportFailure } from './failure.js';
import { createLogger } from './logger.js';

/** What runs until it is told to stop. */
export interface Service {
  /** Takes nothing new, finishes what is in hand within `limitMs`, closes everything. */
  close(limitMs: number): Promise<void>;
}

/** The part of a configuration that every process has. */
export interface RunnableConfig {
  readonly logLevel: string;
  /** How long stopping may take, in ms. */
  readonly stopTimeoutMs: number;
}

export interface Runnable<Config extends RunnableConfig> {
  /** As it is called in logs: `gateway`. */
  readonly name: string;
  /** @throws PlatformError `CONFIG_INVALID` with every fault */
  read(environment: NodeJS.ProcessEnv): Config;
  /**
   * May reject with the reason of `stopping`, which is aborted when the process is told to stop.
   * @throws PlatformError when something outside is not there
   */
  start(config: Config, logger: Logger, stopping: AbortSignal): Promise<Service>;
}

/** Beyond the limit, for closing what no longer waits for anybody. */
const closingGraceMs = 5_000;

/** What a start that was ended before its time leaves to be closed. */
const nothing: Service = { close: async () => undefined };

/** Signals within this time are one: whoever stops a group of processes may reach one twice. */
const sameSignalMs = 1_000;

/**
 * Runs a service until SIGTERM or SIGINT, then exits with 0; at another signal, a second later or
 * more, it exits at once with 1.
 * Exits with 78 when the configuration is wrong, all faults on standard error, with 1 when it cannot
 * start, and with 70 at a defect.
 */
export async function runService<Config extends RunnableConfig>(
  runnable: Runnable<Config>,
): Promise<void> {
  try {
    const config = runnable.read(process.env);
    const logger = createLogger({ level: config.logLevel, service: runnable.name });
    exitOnDefect(runnable.name, logger);
    const stop = new AbortController();
    const starting = runnable.start(config, logger, stop.signal).catch((error: unknown) => {
      // It was told to stop while it waited for what it needs to start.
      if (stop.signal.aborted && error === stop.signal.reason) return nothing;
      throw error;
    });
    // Before it has started: a signal that comes meanwhile must not end it halfway.
    stopOnSignal(runnable.name, { starting, stop, limitMs: config.stopTimeoutMs }, logger);
    await starting;
  } catch (error) {
    process.exit(reportFailure(error));
  }
}

function exitOnDefect(name: string, logger: Logger): void {
  const exit = (err: unknown): void => {
    logger.fatal({ err }, `the ${name} ends, because it is in an unknown state`);
    process.exit(exitCodes.software);
  };
  process.on('uncaughtException', exit);
  process.on('unhandledRejection', exit);
}

interface Starting {
  readonly starting: Promise<Service>;
  readonly stop: AbortController;
  readonly limitMs: number;
}

function stopOnSignal(name: string, { starting, stop, limitMs }: Starting, logger: Logger): void {
  let stoppingSince: number | undefined;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (stoppingSince !== undefined) {
      // Whoever asks again does not want to wait.
      if (performance.now() - stoppingSince > sameSignalMs) process.exit(exitCodes.unavailable);
      return;
    }
    stoppingSince = performance.now();
    logger.info({ signal }, `the ${name} stops`);
    stop.abort();
    setTimeout(() => {
      logger.error(`the ${name} did not stop within its limit and is ended`);
      process.exit(exitCodes.unavailable);
    }, limitMs + closingGraceMs).unref();
    const stopped = starting.then((service) => service.close(limitMs));
    void stopped.then(() => {
      logger.info(`the ${name} has stopped`);
      process.exit(0);
    });
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
}
