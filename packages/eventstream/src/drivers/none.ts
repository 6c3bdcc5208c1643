import type { Driver, DriverSubscription } from '../driver.js';

const neverAssigned: DriverSubscription = {
  commit: () => Promise.resolve(),
  close: () => Promise.resolve(),
};

/** Creates a driver that accepts every record, stores none and delivers none. */
export function createNoneDriver(): Driver {
  return {
    partitionCount: () => Promise.resolve(1),
    append: () => Promise.resolve(),
    subscribe: () => neverAssigned,
    lag: () => Promise.resolve([]),
    ping: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
}
