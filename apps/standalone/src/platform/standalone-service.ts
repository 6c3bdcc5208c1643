import type { Runnable } from '@posthaste/service';
import { readStandaloneConfig, type StandaloneConfig } from './config.js';
import { startStandalone } from './standalone.js';

/** `posthaste start`: gateway and worker in this process, until it is told to stop. */
export const standaloneService: Runnable<StandaloneConfig> = {
  name: 'standalone',
  read: readStandaloneConfig,
  async start(config, logger) {
    const standalone = await startStandalone(config, logger);
    process.stdout.write(greeting(standalone.url, config.gateway));
    return standalone;
  },
};

interface Greeted {
  readonly access: 'loopback' | 'keys';
  readonly docs: boolean;
}

/** Where it listens, and three things to try. The callback goes to the platform itself. */
function greeting(url: string, { access, docs }: Greeted): string {
  const here = url.replace('//0.0.0.0:', '//127.0.0.1:').replace('//[::]:', '//[::1]:');
  const key = access === 'keys' ? " -H 'Authorization: Bearer <key>'" : '';
  const callback = JSON.stringify({ url: `${here}/health/live`, method: 'GET', queueid: 'first' });
  return `
  Posthaste listens on ${url}

  Hand in a callback
    curl${key} -H 'Content-Type: application/json' -d '${callback}' ${here}/callback

  See what became of it, by the id that was answered
    curl${key} ${here}/callback/<id>

${docs ? `  Read on\n    ${here}/docs\n\n` : ''}`;
}
