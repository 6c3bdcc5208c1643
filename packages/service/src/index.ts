export { exitCodes, reportFailure } from './failure.js';
export { createLogger, type LoggerOptions } from './logger.js';
export {
  type CheckReport,
  createReadiness,
  liveReport,
  type ReadinessCheck,
  type ReadinessOptions,
  type ReadinessReport,
} from './readiness.js';
export { type Runnable, type RunnableConfig, runService, type Service } from './run.js';
export { untilMet, type WaitOptions } from './until-met.js';
