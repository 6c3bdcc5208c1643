import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { hasJars } from './jars.js';

const run = promisify(execFile);

const oldestJava = 17;

/** Where a broker can come from. */
export type KafkaSource =
  /** Brokers that run already. */
  | { readonly kind: 'external'; readonly brokers: readonly string[] }
  /** A Docker engine that answers. */
  | { readonly kind: 'docker' }
  | JavaKafka;

/** The `java` program; the jars are there, or Maven is. */
export interface JavaKafka {
  readonly kind: 'java';
  readonly program: string;
}

/** How to get a broker, for people. */
export const kafkaAdvice: string =
  'set KAFKA_BROKERS, or start Docker, or install Java 17 or newer and Maven ' +
  '(Debian: apt-get install default-jre-headless maven)';

/** KAFKA_BROKERS when it is set, else Docker, else Java. */
export async function findKafka(): Promise<KafkaSource | undefined> {
  const brokers = process.env.KAFKA_BROKERS;
  if (brokers) return { kind: 'external', brokers: brokers.split(',').map((name) => name.trim()) };
  return findOwnKafka();
}

/** What can start a broker that may be stopped and crashed: Docker, else Java. */
export async function findOwnKafka(): Promise<KafkaSource | undefined> {
  if (await succeeds('docker', ['version', '--format', '{{.Server.Version}}'])) {
    return { kind: 'docker' };
  }
  return findJavaKafka();
}

/** What can start several brokers that are one cluster: Java. */
export async function findJavaKafka(): Promise<JavaKafka | undefined> {
  const home = process.env.JAVA_HOME;
  const program = home ? join(home, 'bin', 'java') : 'java';
  if ((await javaVersion(program)) < oldestJava) return undefined;
  const canFetch = (await hasJars()) || (await succeeds('mvn', ['--version']));
  return canFetch ? { kind: 'java', program } : undefined;
}

/** The major version; 0 when it does not run. */
async function javaVersion(program: string): Promise<number> {
  try {
    const { stderr } = await run(program, ['-version']);
    return Number(/version "(\d+)/.exec(stderr)?.[1] ?? 0);
  } catch {
    return 0;
  }
}

async function succeeds(program: string, args: readonly string[]): Promise<boolean> {
  return run(program, args, { timeout: 10_000 }).then(
    () => true,
    () => false,
  );
}
