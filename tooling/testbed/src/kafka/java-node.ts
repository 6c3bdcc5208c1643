import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ServerProcess } from '../process/server-process.js';
import { fetchJars } from './jars.js';
import type { KafkaNode } from './node.js';
import { type KafkaListeners, kafkaSettings, toProperties } from './properties.js';

const run = promisify(execFile);

const logging = {
  status: 'warn',
  'appender.console.type': 'Console',
  'appender.console.name': 'console',
  'appender.console.layout.type': 'PatternLayout',
  'appender.console.layout.pattern': '%d{HH:mm:ss,SSS} %p %c{1}: %m%n',
  'rootLogger.level': 'info',
  'rootLogger.appenderRef.console.ref': 'console',
};

/** Only the quick compiler, and one thread for garbage: half the CPU time of a start. */
const quickJava = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC'];

/** Options of a broker on Java. */
export interface JavaNodeOptions {
  readonly listeners: Pick<KafkaListeners, 'port' | 'controllerPort' | 'extra'>;
  /** Broker settings in addition to those for tests. */
  readonly settings: Readonly<Record<string, string>>;
  /** False for a broker that is fast after a slower start. Default true. */
  readonly quickStart?: boolean;
  /** Id of the cluster that the broker belongs to. Default: a new cluster. */
  readonly clusterId?: string;
}

/**
 * Creates a broker on the machine's Java, with a formatted data folder. It is not started yet.
 * @param program the `java` program
 */
export async function createJavaNode(
  program: string,
  { listeners, settings, quickStart = true, clusterId = newClusterId() }: JavaNodeOptions,
): Promise<KafkaNode> {
  const jars = await fetchJars();
  const folder = await mkdtemp(join(tmpdir(), 'posthaste-kafka-'));
  const properties = join(folder, 'server.properties');
  const own = { ...listeners, host: '127.0.0.1', dataDir: join(folder, 'data') };
  const logFile = join(folder, 'log4j2.properties');
  const java = ['-cp', join(jars, '*'), `-Dlog4j2.configurationFile=${logFile}`];
  try {
    await writeFile(properties, toProperties({ ...kafkaSettings(own), ...settings }));
    await writeFile(logFile, toProperties(logging));
    const format = ['kafka.tools.StorageTool', 'format', '-t', clusterId, '-c', properties];
    await run(program, [...quickJava, ...java, ...format], { cwd: folder });
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
  const server = new ServerProcess(folder);
  const flags = ['-Xms256m', '-Xmx512m', ...(quickStart ? quickJava : [])];
  const args = [...flags, ...java, 'kafka.Kafka', properties];
  return {
    isRunning: () => server.pid !== undefined,
    pid: () => server.pid,
    launch: () => server.launch({ program, args }),
    waitUntilReady: (isReady, timeoutMs) => server.waitUntilReady(isReady, timeoutMs),
    stop: () => server.stop('SIGTERM'),
    kill: () => server.kill(),
    log: () => server.log(),
    close: () => server.close(),
  };
}

/** Returns a random cluster id. It does not start with a hyphen, which would look like an option. */
export function newClusterId(): string {
  const bytes = randomBytes(16);
  bytes[0] = bytes.readUInt8(0) & 0x7f;
  return bytes.toString('base64url');
}
