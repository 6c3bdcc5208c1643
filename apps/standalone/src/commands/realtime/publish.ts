import { PlatformError } from '@posthaste/contracts';
import type { Command } from 'commander';
import { readApiAddress, toUnreachable } from '../../api/api-client.js';
import { readDataArgument } from '../../arguments/data-argument.js';
import { addOutputOption, type OutputOptions } from '../../arguments/output-option.js';
import { printResult } from '../../display/output.js';

interface PublishArguments extends OutputOptions {
  readonly application?: string;
}

interface Published {
  readonly successful: readonly { readonly identifier: string; readonly index: number }[];
  readonly failed: readonly { readonly index: number; readonly message?: string }[];
}

interface Refusal {
  readonly errors?: readonly { readonly errorType?: string; readonly message?: string }[];
}

const timeoutMs = 30_000;
/** Key where none is set: a gateway on a loopback address and the emulator accept any. */
const noKey = 'no-key';

/** Adds `posthaste realtime publish`, which publishes to a channel over HTTP. */
export function addPublishCommand(realtime: Command): void {
  addOutputOption(
    realtime
      .command('publish <channel> <json...>')
      .description('publish events to a channel, and print their ids'),
    'print the ids of the events, and those that failed',
  )
    .option('-a, --application <name>', 'application whose channel it is, for keys for several')
    .addHelpText(
      'after',
      `
Publishes to the gateway at POSTHASTE_URL (default http://127.0.0.1:8080), or to an emulator there,
with POSTHASTE_API_KEY as the API key if it is set. An event is JSON; @file reads a file, @- reads
standard input. Exits with 1 if an event failed.

Examples:
  posthaste realtime publish /default/room '{"text": "hello"}'
  POSTHASTE_URL=http://localhost:8090 posthaste realtime publish /chat/room 1 2 3`,
    )
    .action(publish);
}

async function publish(
  channel: string,
  values: readonly string[],
  { application, ...options }: PublishArguments,
): Promise<void> {
  const events = await Promise.all(values.map(readEvent));
  const { url, apiKey = noKey } = readApiAddress(process.env);
  const base = url.replace(/\/+$/, '');
  const answer = await send(base, {
    method: 'POST',
    signal: AbortSignal.timeout(timeoutMs),
    headers: {
      'content-type': 'application/json',
      'x-api-key': apiKey,
      ...(application === undefined ? {} : { 'x-posthaste-application': application }),
    },
    body: JSON.stringify({ channel, events }),
  });
  const published = parse(base, answer);
  const lines = [
    ...published.successful.map(({ identifier }) => identifier),
    ...published.failed.map(({ index, message = 'no reason' }) => `event ${index}: ${message}`),
  ];
  printResult(options, published, lines.join('\n'));
  if (published.failed.length > 0) process.exitCode = 1;
}

/** Reads an event. @throws PlatformError `REQUEST_INVALID` */
async function readEvent(data: string): Promise<string> {
  const text = (await readDataArgument(data)).toString();
  try {
    JSON.parse(text);
    return text;
  } catch (cause) {
    const message = `the event ${text.slice(0, 64)} is not JSON; write text as '"text"'`;
    throw new PlatformError('REQUEST_INVALID', message, { cause });
  }
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

async function send(base: string, request: RequestInit): Promise<Answer> {
  try {
    const response = await fetch(`${base}/event`, request);
    return { status: response.status, text: await response.text() };
  } catch (error) {
    throw toUnreachable(base, error);
  }
}

/** @throws PlatformError `REALTIME_REFUSED`; `GATEWAY_UNREACHABLE` if it is another server */
function parse(base: string, { status, text }: Answer): Published {
  const value = parseJson(text) as (Published & Refusal) | undefined;
  if (status === 200 && Array.isArray(value?.successful)) return value;
  const [error] = value?.errors ?? [];
  if (error === undefined) {
    const message = `${base}/event answered ${status}, but not as a server of AppSync Events does. Set POSTHASTE_URL to the address of a gateway or an emulator.`;
    throw new PlatformError('GATEWAY_UNREACHABLE', message);
  }
  const { errorType = 'refused', message = 'no reason' } = error;
  throw new PlatformError('REALTIME_REFUSED', `${errorType}: ${message}`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
