/*
 * Program: a receiver in a process of its own, for tests that kill it and for demos:
 *
 *   node receiver-process.js --seed 7 --rates '{"fail":0.1,"hang":0.02}' --journal arrivals.jsonl
 *
 * The n-th callback of a queue goes to /<queue>/<n>, counted from 0; callbacks to any other path have
 * no order. GET /_receiver/summary returns the counts, PUT /_receiver/rates changes the rates. With a
 * journal, it continues where a killed one stopped.
 */
import { parseArgs } from 'node:util';
import { openArrivalJournal } from './arrival-journal.js';
import { type Arrival, createArrivalLedger } from './arrival-ledger.js';
import { createMisbehaviour, goodBehaviour, parseRates } from './misbehaviour.js';
import { startReceiver } from './receiver.js';
import type { Step } from './receiver-script.js';
import type { ReceivedRequest } from './request-log.js';

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    seed: { type: 'string', default: '1' },
    rates: { type: 'string' },
    journal: { type: 'string' },
  },
});

let rates = values.rates === undefined ? goodBehaviour : parseRates(values.rates);
const decide = createMisbehaviour(Number(values.seed), () => rates);
const ledger = createArrivalLedger();
const journal =
  values.journal === undefined
    ? undefined
    : openArrivalJournal(values.journal, (arrival) => ledger.record(arrival));

const receiver = await startReceiver(answer, { port: Number(values.port) });
console.log(`receiver listening on ${receiver.url}`);

process.once('SIGTERM', () => {
  void receiver.close().then(() => journal?.close());
});

function answer(request: ReceivedRequest): Step {
  if (request.path.startsWith('/_receiver/')) return control(request);
  const { step, accepted } = decide();
  const arrival = toArrival(request, accepted);
  // Before the response, so that every request with a response is counted.
  journal?.append(arrival);
  ledger.record(arrival);
  return step;
}

function control({ method, path, body }: ReceivedRequest): Step {
  if (method === 'GET' && path === '/_receiver/summary') {
    return { kind: 'respond', body: JSON.stringify(ledger.summary()) };
  }
  if (method === 'PUT' && path === '/_receiver/rates') {
    rates = parseRates(body.toString());
    return 204;
  }
  return 404;
}

function toArrival({ path, headers }: ReceivedRequest, accepted: boolean): Arrival {
  const id = String(headers['webhook-id'] ?? '');
  const [, queue, sequence] = /^\/([^/]+)\/(\d+)$/.exec(path) ?? [];
  if (queue === undefined) return { id, accepted };
  return { place: { queue, sequence: Number(sequence) }, id, accepted };
}
