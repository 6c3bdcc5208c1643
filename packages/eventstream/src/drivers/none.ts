import type { Driver, DriverSubscription } from '../driver.js';

const neverAssigned: DriverSubscription = {
  commit: () => Promise.resolve(),
  close: () => Promise.resolve(),
};

/** A stream that takes everything, keeps nothing and brings nothing: for services that go without. */
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
