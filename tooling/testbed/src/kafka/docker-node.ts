import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { startWatchdog } from '../process/watchdog.js';
import { kafkaVersion } from './jars.js';
import type { KafkaNode } from './node.js';
import { type KafkaListeners, kafkaSettings } from './properties.js';

const run = promisify(execFile);

/** Creates a container of the official image with a broker. It is not started yet. */
export async function createDockerNode(
  listeners: Pick<KafkaListeners, 'port' | 'controllerPort' | 'extra'>,
  settings: Readonly<Record<string, string>>,
): Promise<KafkaNode> {
  const { port } = listeners;
  const name = `posthaste-kafka-${randomBytes(6).toString('hex')}`;
  const own = { ...listeners, host: '0.0.0.0', dataDir: '/var/lib/kafka/data' };
  const variables = toVariables({ ...kafkaSettings(own), ...settings }).flatMap((pair) => [
    '-e',
    pair,
  ]);
  const ports = [port, ...listeners.extra.map((listener) => listener.port)];
  const publish = ports.flatMap((one) => ['-p', `127.0.0.1:${one}:${one}`]);
  // Created and started separately, so that a killed broker can be started again on its data.
  await docker('create', '--name', name, ...publish, ...variables, `apache/kafka:${kafkaVersion}`);
  const watchdog = startWatchdog({ command: ['docker', 'rm', '--force', '--volumes', name] });
  let running = false;
  const end = async (...command: string[]): Promise<void> => {
    if (!running) return;
    await docker(...command, name);
    await docker('wait', name);
    running = false;
  };
  const log = async (): Promise<string> => {
    const { stdout, stderr } = await docker('logs', name);
    return stdout + stderr;
  };
  return {
    isRunning: () => running,
    pid: () => undefined,
    launch: async () => {
      await docker('start', name);
      running = true;
    },
    waitUntilReady: async (isReady, timeoutMs) => {
      const deadline = performance.now() + timeoutMs;
      while (!(await isReady())) {
        if (performance.now() > deadline) throw new Error(`Kafka did not start:\n${await log()}`);
        await sleep(100);
      }
    },
    stop: () => end('stop', '-t', '60'),
    kill: () => end('kill'),
    log,
    close: async () => {
      await docker('rm', '--force', '--volumes', name);
      watchdog.close();
    },
  };
}

/** Converts settings to variables of the image: `log.dirs` is `KAFKA_LOG_DIRS`; `_` becomes `__`, `-` becomes `___`. */
export function toVariables(settings: Readonly<Record<string, string>>): string[] {
  return Object.entries(settings).map(([name, value]) => {
    const variable = name.replaceAll('_', '__').replaceAll('-', '___').replaceAll('.', '_');
    return `KAFKA_${variable.toUpperCase()}=${value}`;
  });
}

async function docker(...args: string[]): Promise<{ stdout: string; stderr: string }> {
  // The first create also pulls the image.
  return run('docker', args, { timeout: 600_000, maxBuffer: 64 * 1024 * 1024 });
}
