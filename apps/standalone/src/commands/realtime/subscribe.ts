import type { Command } from 'commander';
import { readApiAddress } from '../../api/api-client.js';
import { addOutputOption, type OutputOptions } from '../../arguments/output-option.js';
import { print, printable, printStatus } from '../../display/output.js';

interface SubscribeArguments extends OutputOptions {
  readonly application?: string;
}

/** Key where none is set: a gateway on a loopback address and the emulator accept any. */
const noKey = 'no-key';

/** Adds `posthaste realtime subscribe`, which shows events of a channel as they come. */
export function addSubscribeCommand(realtime: Command): void {
  addOutputOption(
    realtime
      .command('subscribe <channel>')
      .description('show events of a channel, or with * of all channels below one, as they come'),
    'print one line for each event',
  )
    .option('-a, --application <name>', 'application whose channel it is, for keys for several')
    .addHelpText(
      'after',
      `
After a lost connection, the command connects again, and asks a server that can for what it missed.
Ctrl-C ends it.

Example:
  posthaste realtime subscribe '/default/*'`,
    )
    .action(subscribe);
}

async function subscribe(
  channel: string,
  { application, json }: SubscribeArguments,
): Promise<void> {
  const { connect, createConfig } = await import('@posthaste/appsync-client');
  const { url, apiKey = noKey } = readApiAddress(process.env);
  const endpoint = `${url.replace(/\/+$/, '')}/event`;
  const config = createConfig([endpoint, undefined], () => ({
    'x-api-key': apiKey,
    ...(application === undefined ? {} : { 'x-posthaste-application': application }),
  }));
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  const client = await connect(config, { extensions: ['resume', 'channel'] });
  try {
    const subscription = client.subscribe(channel, { signal: stop.signal });
    await subscription.ready;
    printStatus(`subscribed  ${channel}`);
    for await (const { type, event, channel: of = channel } of subscription) {
      const at = new Date().toISOString();
      if (json) print(JSON.stringify({ at, type, channel: of, event }));
      else print(printable(type === 'data' ? `${at}  ${of}  ${event}` : `${at}  ${of}  (${type})`));
    }
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  } finally {
    client.close();
  }
}
