import { execFile } from 'node:child_process';
import { access, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The broker's version, in the container as well. */
export const kafkaVersion = '4.3.1';

const log4jVersion = '2.26.1';
const copyGoal = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies';

/** Where the jars are kept between runs: `$XDG_CACHE_HOME/posthaste` or `~/.cache/posthaste`. */
export function jarFolder(): string {
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  return join(cache, 'posthaste', `kafka-${kafkaVersion}-log4j-${log4jVersion}`);
}

/** Whether the jars were fetched before. */
export async function hasJars(): Promise<boolean> {
  return access(jarFolder()).then(
    () => true,
    () => false,
  );
}

/**
 * Fetches the broker's jars (45 MB) through Maven unless they are there.
 * @returns their folder
 */
export async function fetchJars(): Promise<string> {
  const folder = jarFolder();
  if (await hasJars()) return folder;
  console.warn(`Fetching Kafka ${kafkaVersion} through Maven, once, to ${folder}`);
  await mkdir(join(folder, '..'), { recursive: true });
  const partial = await mkdtemp(`${folder}.partial-`);
  try {
    await writeFile(join(partial, 'pom.xml'), projectFile());
    const jars = join(partial, 'jars');
    const args = ['-q', '-B', copyGoal, '-DincludeScope=runtime', `-DoutputDirectory=${jars}`];
    // A repository of its own: Maven does not share one between processes safely.
    args.push(`-Dmaven.repo.local=${join(partial, 'repository')}`);
    await run('mvn', args, { cwd: partial, timeout: 600_000 });
    await moveInto(jars, folder);
    return folder;
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}

/** All or nothing: the folder appears complete, or was made complete by somebody else. */
async function moveInto(jars: string, folder: string): Promise<void> {
  try {
    await rename(jars, folder);
  } catch (error) {
    if (!(await hasJars())) throw error;
  }
}

function projectFile(): string {
  // Kafka's own dependencies leave the logging out. It speaks slf4j 1, so not log4j-slf4j2-impl.
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
