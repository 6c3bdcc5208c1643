export type * from './driver.js';
export type * from './record.js';
