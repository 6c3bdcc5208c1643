export { reportFailure } from './failure.js';
export {
  createLogger,
  forwardFailures,
  logFailure,
  type OutageWatch,
  watchOutages,
} from './logger.js';
export type { DatabaseFailure } from './outage-log.js';
export {
  createReadiness,
  liveReport,
  type ReadinessCheck,
  type ReadinessReport,
} from './readiness.js';
export { type Runnable, type RunnableConfig, runService, type Service } from './run.js';
export { untilMet } from './until-met.js';
