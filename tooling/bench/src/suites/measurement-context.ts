import type { Bench } from '../bench.js';
import type { CallbackService } from '../contender.js';
import type { SuiteOptions } from '../suite.js';
import type { Sizes } from './sizes.js';

/** Servers, service and sizes that every row of the callbacks suite is measured with. */
export interface MeasurementContext {
  readonly bench: Bench;
  readonly service: CallbackService;
  readonly sizes: Sizes;
  readonly options: SuiteOptions;
}
