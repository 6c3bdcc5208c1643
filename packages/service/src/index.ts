export { createLogger, type LoggerOptions } from './logger.js';
export { exitCodes, type Runnable, type RunnableConfig, runService, type Service } from './run.js';
