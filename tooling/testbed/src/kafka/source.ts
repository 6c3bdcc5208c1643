import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { hasJars } from './jars.js';

const run = promisify(execFile);

const oldestJava = 17;

/** Source of a broker. */
export type KafkaSource =
  /** Brokers that run already. */
  | { readonly kind: 'external'; readonly brokers: readonly string[] }
  /** A running Docker engine. */
  | { readonly kind: 'docker' }
  | JavaKafka;

/** A `java` program. The jars are there, or Maven can fetch them. */
export interface JavaKafka {
  readonly kind: 'java';
  readonly program: string;
}

/** Advice for people on how to get a broker. */
export const kafkaAdvice: string =
  'set KAFKA_BROKERS, or start Docker, or install Java 17 or newer and Maven ' +
  '(Debian: apt-get install default-jre-headless maven)';

/** Finds a source of brokers: KAFKA_BROKERS if it is set, else Docker, else Java. */
export async function findKafka(): Promise<KafkaSource | undefined> {
  const brokers = process.env.KAFKA_BROKERS;
  if (brokers) return { kind: 'external', brokers: brokers.split(',').map((name) => name.trim()) };
  return findOwnKafka();
}

/** Finds a source of brokers that may be stopped and crashed: Docker, else Java. */
export async function findOwnKafka(): Promise<KafkaSource | undefined> {
  if (await succeeds('docker', ['version', '--format', '{{.Server.Version}}'])) {
    return { kind: 'docker' };
  }
  return findJavaKafka();
}

/** Finds a Java that can run several brokers of one cluster. */
export async function findJavaKafka(): Promise<JavaKafka | undefined> {
  const home = process.env.JAVA_HOME;
  const program = home ? join(home, 'bin', 'java') : 'java';
  if ((await javaVersion(program)) < oldestJava) return undefined;
  const canFetch = (await hasJars()) || (await succeeds('mvn', ['--version']));
  return canFetch ? { kind: 'java', program } : undefined;
}

/** Returns the major version of Java; 0 if the program does not run. */
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
