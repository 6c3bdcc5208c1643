import { execFile } from 'node:child_process';
import { access, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cacheFolder } from '../cache-folder.js';

const run = promisify(execFile);

/** Version of the broker, also in a container. */
export const kafkaVersion = '4.3.1';

const log4jVersion = '2.26.1';
const copyGoal = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies';

/** Returns the folder that keeps the jars. */
export function jarFolder(): string {
  return cacheFolder(`kafka-${kafkaVersion}-log4j-${log4jVersion}`);
}

/** True if the jars were fetched before. */
export async function hasJars(): Promise<boolean> {
  return access(jarFolder()).then(
    () => true,
    () => false,
  );
}

/**
 * Fetches the jars of the broker (45 MB) through Maven, unless they were fetched before.
 * @returns the folder of the jars
 */
export async function fetchJars(): Promise<string> {
  const folder = jarFolder();
  if (await hasJars()) return folder;
  console.warn(`Fetching Kafka ${kafkaVersion} through Maven to ${folder}; this is done once`);
  await mkdir(join(folder, '..'), { recursive: true });
  const partial = await mkdtemp(`${folder}.partial-`);
  try {
    await writeFile(join(partial, 'pom.xml'), projectFile());
    const jars = join(partial, 'jars');
    const args = ['-q', '-B', copyGoal, '-DincludeScope=runtime', `-DoutputDirectory=${jars}`];
    // A separate repository, because Maven cannot share one between processes safely.
    args.push(`-Dmaven.repo.local=${join(partial, 'repository')}`);
    await run('mvn', args, { cwd: partial, timeout: 600_000 });
    await moveInto(jars, folder);
    return folder;
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}

/** Moves the jars to the folder at once, unless another process has completed it meanwhile. */
async function moveInto(jars: string, folder: string): Promise<void> {
  try {
    await rename(jars, folder);
  } catch (error) {
    if (!(await hasJars())) throw error;
  }
}

function projectFile(): string {
  // Kafka's dependencies do not include a logger. It uses slf4j 1, so log4j-slf4j2-impl does not fit.
  const logging = ['log4j-api', 'log4j-core', 'log4j-slf4j-impl'].map((name) =>
    dependency('org.apache.logging.log4j', name, log4jVersion),
  );
  return `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>posthaste</groupId>
  <artifactId>kafka-jars</artifactId>
  <version>1</version>
  <dependencies>
    ${[dependency('org.apache.kafka', 'kafka_2.13', kafkaVersion), ...logging].join('\n    ')}
  </dependencies>
</project>
`;
}

function dependency(group: string, artifact: string, version: string): string {
  return (
    `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId>` +
    `<version>${version}</version></dependency>`
  );
}
