export { exitCodes, reportFailure } from './failure.js';
export { createLogger, type LoggerOptions } from './logger.js';
export { type Runnable, type RunnableConfig, runService, type Service } from './run.js';
