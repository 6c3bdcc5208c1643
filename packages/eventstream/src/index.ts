export type * from './driver.js';
export type { InjectedFault } from './drivers/memory/faults.js';
export { createMemoryDriver } from './drivers/memory/memory-driver.js';
export { MemoryStream, type MemoryStreamOptions } from './drivers/memory/memory-stream.js';
export type * from './record.js';
