/*
 * Steps of a stop by SIGTERM or SIGINT, in this order:
 *
 * 1. `stopOnSignal` below logs the signal and aborts `stopping`. A service that still waits for its
 *    database stops waiting; one that is in the middle of its start finishes the start first.
 * 2. It calls the service's `close(limitMs)` with POSTHASTE_STOP_TIMEOUT. What each app closes, in
 *    order, is in `close` of one file:
 *    - apps/gateway/src/gateway-service.ts: the HTTP server (accepts nothing new, finishes requests
 *      in progress, cuts off the others at the limit); the routes; the event outbox; the database.
 *    - apps/worker/src/worker-service.ts: at once deliveries (lease nothing new, finish attempts under
 *      way, leave the others to the end of their leases at the limit), housekeeping and event
 *      streams; then the monitor; the database.
 *    - apps/standalone/src/platform/standalone-service.ts: server and worker at once; then the
 *      routes; the event outbox; the database.
 * 3. The process exits with 0. It exits with 1 when `close` takes 5 seconds longer than its limit,
 *    or when another signal arrives a second or more after the first.
 */
import type { Logger } from 'pino';
import { exitCodes, reportFailure } from './failure.js';
import { createLogger } from './logger.js';

/** A part of a process that runs until it is closed. */
export interface Service {
  /** Takes nothing new, finishes work in progress within `limitMs`, then closes everything. */
  close(limitMs: number): Promise<void>;
}

/** Settings that every process has. */
export interface RunnableConfig {
  readonly logLevel: string;
  /** Longest time that stopping may take, in ms. */
  readonly stopTimeoutMs: number;
}

/** Program that `runService` runs: its configuration and its start. */
export interface Runnable<Config extends RunnableConfig> {
  /** Name in logs: `gateway`. */
  readonly name: string;
  /** Reads the configuration. @throws PlatformError `CONFIG_INVALID` with every fault */
  read(environment: NodeJS.ProcessEnv): Config;
  /**
   * Starts the service. `stopping` is aborted at the first SIGTERM or SIGINT; the start may then
   * reject with the signal's reason, which counts as a clean stop.
   * @throws PlatformError when something that it depends on is missing
   */
  start(config: Config, logger: Logger, stopping: AbortSignal): Promise<Service>;
}

/** Time that `close` has beyond its limit, for closing connections that nobody waits for. */
const closingGraceMs = 5_000;

/** Service of a start that was stopped before it had opened anything. */
const nothingToClose: Service = { close: async () => undefined };

/** Signals within this time count as one: a tool that stops a process group may reach it twice. */
const sameSignalMs = 1_000;

/**
 * Runs a service until SIGTERM or SIGINT, closes it, and exits with 0.
 * Exits with 78 when the configuration is wrong, with all faults on standard error; with 1 when the
 * service cannot start or does not stop in time; with 70 at a defect.
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
      // The signal came while the service waited for something that it needs to start.
      if (stop.signal.aborted && error === stop.signal.reason) return nothingToClose;
      throw error;
    });
    // Before the start has ended: a signal that comes during it must not end the process halfway.
    stopOnSignal(runnable.name, { starting, stop, limitMs: config.stopTimeoutMs }, logger);
    await starting;
  } catch (error) {
    process.exit(reportFailure(error));
  }
}

function exitOnDefect(name: string, logger: Logger): void {
  const exit = (err: unknown): void => {
    logger.fatal({ err }, `the ${name} exits because of a defect: its state is unknown`);
    process.exit(exitCodes.software);
  };
  process.on('uncaughtException', exit);
  process.on('unhandledRejection', exit);
}

interface StartingService {
  readonly starting: Promise<Service>;
  readonly stop: AbortController;
  readonly limitMs: number;
}

function stopOnSignal(
  name: string,
  { starting, stop, limitMs }: StartingService,
  logger: Logger,
): void {
  let stoppingSince: number | undefined;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (stoppingSince !== undefined) {
      // A second signal means that its sender does not want to wait.
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
