import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import type { Arrival } from './arrival-ledger.js';

/** File with one arrival per line, as JSON. */
export interface ArrivalJournal {
  /** Writes an arrival before it returns, so that a kill loses no request that got a response. */
  append(arrival: Arrival): void;
  close(): void;
}

/** Opens a journal to continue it. Calls `onArrival` for each arrival that it contains. */
export function openArrivalJournal(
  file: string,
  onArrival: (arrival: Arrival) => void,
): ArrivalJournal {
  const fd = openSync(file, 'a+');
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    if (line !== '') onArrival(JSON.parse(line));
  }
  return {
    append: (arrival) => void writeSync(fd, `${JSON.stringify(arrival)}\n`),
    close: () => closeSync(fd),
  };
}
