import { randomBytes } from 'node:crypto';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { readApiAddress } from '../../api/api-client.js';
import { addOutputOption, type OutputOptions } from '../../arguments/output-option.js';
import { print, printable, printStatus } from '../../display/output.js';
import type { ForwardAttempt } from '../../listen/forwarder.js';

interface ListenArguments extends OutputOptions {
  readonly forwardTo: string;
  readonly endpoint?: string;
  readonly subscription?: string;
  readonly topic?: string;
  readonly name?: string;
  readonly application?: string;
  readonly secret?: string;
  readonly retry: boolean;
}

/** Attempts of a request that the local receiver does not take. */
const maxAttempts = 5;

/** Adds `posthaste listen`, which forwards to a local URL what a receiver would get. */
export function addListenCommand(program: Command): void {
  const command: Command = addOutputOption(
    program
      .command('listen')
      .description('forward to a local URL what an endpoint, subscription or topic would get'),
    'print one line for each attempt',
  )
    .addOption(
      new Option('--forward-to <url>', 'local URL that gets the requests')
        .argParser(toUrl)
        .makeOptionMandatory(),
    )
    .option('-e, --endpoint <id>', 'forward what this endpoint would get for events')
    .option('-s, --subscription <id>', 'forward only what this subscription would get')
    .option('-t, --topic <topic>', 'forward the events of this topic')
    .option('--name <pattern>', 'with --topic: only events with this name, such as order.*')
    .option('-a, --application <name>', 'only events of this application')
    .option('--secret <whsec>', 'secret that signs the requests (default: a new one, printed)')
    .option('--no-retry', `give up after one attempt (default: after ${maxAttempts})`)
    .addHelpText(
      'after',
      `
Connects to the gateway at POSTHASTE_URL (default http://127.0.0.1:8080) over a WebSocket, with
POSTHASTE_API_KEY as the API key if it is set; the key needs the scope callbacks:read. Requests
have the body and headers that a worker would send, except headers of the endpoint itself, and
are signed with a secret of this command. Those of one queue come in order, one after another.
The real receivers get everything too. After a lost connection, the command continues where it
stopped. Ctrl-C ends it.

Examples:
  posthaste listen --endpoint <id> --forward-to http://localhost:3000/hook
  posthaste listen --topic orders --name 'order.*' --forward-to http://localhost:3000/hook`,
    );
  command.action((options: ListenArguments) => {
    const { endpoint, subscription, topic, name } = options;
    const named = [endpoint, subscription, topic].filter((each) => each !== undefined);
    if (named.length !== 1) {
      command.error('error: give one of --endpoint, --subscription and --topic');
    }
    if (name !== undefined && topic === undefined) command.error('error: --name needs --topic');
    return listen(options);
  });
}

async function listen(options: ListenArguments): Promise<void> {
  const { forwardTo: url, retry, json, endpoint, subscription, topic, name, application } = options;
  const secret = options.secret ?? `whsec_${randomBytes(32).toString('base64')}`;
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  const { Forwarder } = await import('../../listen/forwarder.js');
  const { listenToGateway } = await import('../../listen/listen-client.js');
  const forwarder = new Forwarder({
    url,
    secret,
    maxAttempts: retry ? maxAttempts : 1,
    onAttempt: (attempt) => print(json ? toJsonLine(attempt) : describe(attempt)),
    signal: stop.signal,
  });
  const address = readApiAddress(process.env);
  await listenToGateway({
    address,
    query: { endpoint, subscription, topic, name, application },
    signal: stop.signal,
    onRequest: (request) => forwarder.forward(request),
    onReady: () => {
      if (options.secret === undefined) printStatus(`secret      ${secret}`);
      printStatus(`forwarding  ${address.url} -> ${url}`);
    },
    onLost: (reason) => printStatus(`${reason}; trying again`),
  });
}

function toJsonLine({ request, ...attempt }: ForwardAttempt): string {
  const { id, queue = null, event } = request;
  const { status = null, error = null, retryInMs = null, ...rest } = attempt;
  const at = new Date().toISOString();
  return JSON.stringify({ at, id, queue, event, status, error, retryInMs, ...rest });
}

function describe({ request, ...attempt }: ForwardAttempt): string {
  const { topic, partition, offset, key } = request.event;
  const { status, error, durationMs, retryInMs } = attempt;
  const result = status === undefined ? `failed: ${error}` : String(status);
  const next =
    retryInMs === undefined
      ? undefined
      : `again in ${(retryInMs / 1_000).toFixed(1)} s (attempt ${attempt.attempt})`;
  const gaveUp =
    retryInMs === undefined && !(status !== undefined && status < 300 && status >= 200);
  return printable(
    [
      new Date().toISOString(),
      result,
      `${durationMs} ms`,
      `${topic}/${partition}@${offset}`,
      ...(key === null ? [] : [key]),
      ...(next === undefined ? [] : [next]),
      ...(gaveUp ? ['given up'] : []),
    ].join('  '),
  );
}

function toUrl(text: string): string {
  const url = URL.parse(text);
  if (url && (url.protocol === 'http:' || url.protocol === 'https:')) return url.href;
  throw new InvalidArgumentError('It must be a URL such as http://localhost:3000/hook.');
}
