export { reportFailure } from './failure.js';
export { createLogger } from './logger.js';
export {
  createReadiness,
  liveReport,
  type ReadinessCheck,
  type ReadinessReport,
} from './readiness.js';
export { type Runnable, type RunnableConfig, runService, type Service } from './run.js';
export { untilMet } from './until-met.js';
