import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import type { Arrival } from './arrival-ledger.js';

/** A file with one arrival a line, as JSON. */
export interface ArrivalJournal {
  /** Written when it returns, so that a killed process has forgotten nothing it answered. */
  append(arrival: Arrival): void;
  close(): void;
}

/** Opens a journal to go on with; gives what it holds so far to `onArrival`. */
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
