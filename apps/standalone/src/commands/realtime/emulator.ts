import type { Command } from 'commander';
import { wholeNumberParser } from '../../arguments/option-parsers.js';
import { addOutputOption, type OutputOptions } from '../../arguments/output-option.js';
import { print, printable, printStatus } from '../../display/output.js';
import type { EmulatorEntry } from '../../realtime-emulator/emulator.js';
import type { EmulatorConfig } from '../../realtime-emulator/emulator-config.js';

interface EmulatorArguments extends OutputOptions {
  readonly config?: string;
  readonly host: string;
  readonly port: number;
  readonly tls?: boolean;
  readonly strictAws?: boolean;
}

const defaultPort = 8090;
const defaultRegion = 'us-east-1';
const anyKey = 'any-key';

/** Adds `posthaste realtime emulator`, which `posthaste realtime` runs. */
export function addEmulatorCommand(realtime: Command): void {
  addOutputOption(
    realtime
      .command('emulator', { isDefault: true })
      .description('run an emulator of AWS AppSync Events on this machine (default)'),
    'print one line for each entry of the log',
  )
    .option('-c, --config <file>', 'namespaces, handlers and keys: an ES module, or JSON')
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option(
      '-p, --port <n>',
      'port to listen on; 0 is a free one',
      wholeNumberParser(0, 65_535),
      defaultPort,
    )
    .option('--tls', 'HTTPS and WSS, with a certificate of its own; AWS Amplify needs it')
    .option('--strict-aws', 'refuse as AWS does: Unauthorized where this platform says Forbidden')
    .addHelpText(
      'after',
      `
Without --config there is the namespace "default". Without apiKeys in it, any text is an API key.
Events are in memory. Connections, subscriptions and publishes are shown as they come; no
credential is. The certificate of --tls is kept in the cache folder of the user.

A configuration, realtime.config.mjs:
  export default {
    namespaces: [
      'default',
      {
        name: 'chat',
        handlers: {
          onPublish: ({ events }) => events.filter(({ payload }) => payload.text !== ''),
          onSubscribe: (context) => {
            if (context.info.channel.segments[1] === 'private') context.unauthorized();
          },
        },
      },
    ],
    apiKeys: ['da2-for-tests'],
  };
It may also have oidc, cognito, lambda, iam, connectionAuthModes, defaultPublishAuthModes,
defaultSubscribeAuthModes and region.

Example:
  posthaste realtime --config realtime.config.mjs --tls`,
    )
    .action(runEmulator);
}

async function runEmulator(options: EmulatorArguments): Promise<void> {
  const { host, port, json, tls = false, strictAws = false } = options;
  const { loadEmulatorConfig } = await import('../../realtime-emulator/emulator-config.js');
  const { startEmulator } = await import('../../realtime-emulator/emulator.js');
  const config = options.config === undefined ? {} : await loadEmulatorConfig(options.config);
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  const emulator = await startEmulator({
    ...{ config, host, port, tls, strictAws },
    onEntry: (entry) => {
      const at = new Date().toISOString();
      print(json ? JSON.stringify({ at, ...entry }) : `${at}  ${describe(entry)}`);
    },
  });
  const { endpoint, certificateFile } = emulator;
  printStatus(greeting({ endpoint, certificateFile, config }));
  if (!stop.signal.aborted) {
    await new Promise((resolve) => stop.signal.addEventListener('abort', resolve));
  }
  await emulator.close();
}

interface GreetingFacts {
  readonly endpoint: string;
  readonly certificateFile: string | undefined;
  readonly config: EmulatorConfig;
}

function greeting({ endpoint, certificateFile, config }: GreetingFacts): string {
  const { apiKeys, region = defaultRegion } = config;
  const trust =
    certificateFile === undefined
      ? '  AWS Amplify connects over TLS only: start with --tls to use it.'
      : `  Node trusts the certificate with NODE_EXTRA_CA_CERTS=${certificateFile}`;
  return `
  The emulator of AppSync Events listens on ${endpoint}
  ${apiKeys === undefined ? 'Any text is accepted as an API key.' : 'It accepts the API keys of the configuration.'}
${trust}

  Amplify.configure({
    API: {
      Events: {
        endpoint: '${endpoint}',
        region: '${region}',
        defaultAuthMode: 'apiKey',
        apiKey: '${apiKeys?.[0] ?? anyKey}',
      },
    },
  });
`;
}

function describe(entry: EmulatorEntry): string {
  switch (entry.operation) {
    case 'open':
    case 'close':
      return `${entry.operation.padEnd(9)}  ${entry.connections} connected`;
    case 'refuse':
      return printable(`refuse     ${entry.channel}  ${entry.reason}`);
    case 'fault':
      return `fault      ${entry.reason}`;
    default: {
      const { operation, channel = '', events, by } = entry;
      const count = events === undefined ? '' : `  ${events} event${events === 1 ? '' : 's'}`;
      const who = by ?? 'refused: the credential is not accepted';
      return printable(`${operation.padEnd(9)}  ${channel}${count}  ${who}`);
    }
  }
}
