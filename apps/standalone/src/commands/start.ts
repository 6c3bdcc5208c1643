import type { Runnable } from '@posthaste/service';
import { readStandaloneConfig, type StandaloneConfig } from '../config.js';
import { startStandalone } from '../standalone.js';

/** `posthaste start`: gateway and worker in this process, until it is told to stop. */
export const startCommand: Runnable<StandaloneConfig> = {
  name: 'posthaste',
  read: readStandaloneConfig,
  async start(config, logger) {
    const standalone = await startStandalone(config, logger);
    process.stdout.write(greeting(standalone.url, config.gateway.access));
    return standalone;
  },
};

/** Where it listens, and three things to try. The curl delivers to the platform itself. */
function greeting(url: string, access: 'loopback' | 'keys'): string {
  const callback = JSON.stringify({ url: `${url}/health/live`, method: 'GET', queueid: 'first' });
  const key = access === 'keys' ? ` -H 'Authorization: Bearer <key>'` : '';
  return `
  Posthaste listens on ${url}

  Try
    a callback       curl -H 'Content-Type: application/json'${key} -d '${callback}' ${url}/callback
    what became of it  ${url}/callback/<id>
    the docs         ${url}/docs
${access === 'keys' ? '\n  Keys are needed: npx posthaste keys create\n' : ''}
`;
}
