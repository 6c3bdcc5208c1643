/*
 * Program of a thread that matches large filters. `FilterThreads` starts it, and ends it when a
 * filter takes too long.
 */
import { parentPort } from 'node:worker_threads';
import { parseJsonWithDigits } from '@posthaste/contracts';
import { CompiledFilters } from './compiled-filters.js';
import { FilterPayload } from './filter-payload.js';
import { type FilterReply, type FilterRequest, filterResults } from './filter-threads.js';

const port = parentPort;
if (port === null) throw new Error('filter-thread must run in a worker thread');

const compiled = new CompiledFilters(500, 1_000);

port.on('message', (request: FilterRequest) => {
  const startedMs = usedMs();
  const results = new Int8Array(request.results);
  const payload = new FilterPayload(parseJsonWithDigits(request.data));
  for (const [index, filter] of request.filters.entries()) {
    // Not before the first one: then a large payload alone could use the budget for ever.
    if (index > 0 && usedMs() - startedMs >= request.budgetMs) break;
    Atomics.store(results, index, filterResults[match(request, filter, payload)]);
  }
  reply({ kind: 'done', usedMs: usedMs() - startedMs });
});
reply({ kind: 'ready' });

function match(
  { application, maxWork }: FilterRequest,
  text: string,
  payload: FilterPayload,
): keyof typeof filterResults {
  try {
    const filter = compiled.find(application, text);
    if (payload.workOf(filter.cost) > maxWork) return 'costly';
    return filter.matches(payload.filterData) ? 'matches' : 'differs';
  } catch {
    return 'failed';
  }
}

/**
 * Returns the processor time of this thread, in ms, so that a busy machine costs an application
 * nothing; where Node.js cannot tell it, the time that has passed.
 */
function usedMs(): number {
  if (!('threadCpuUsage' in process)) return performance.now();
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}

function reply(message: FilterReply): void {
  port?.postMessage(message);
}
