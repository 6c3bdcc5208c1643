import { posix } from 'node:path';

/** Most source files in one folder. A longer listing no longer shows how a package is built. */
const maxFiles = 25;

const testFile = /\.(?:test|bench)\.tsx?$/;

/**
 * Returns one line for each folder that holds more than 25 source files. Tests do not count, nor do
 * files in subfolders.
 * @param files paths from the root of the repository, with forward slashes
 */
export function findCrowdedFolders(files: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const file of files) {
    if (testFile.test(file)) continue;
    const folder = posix.dirname(file);
    counts.set(folder, (counts.get(folder) ?? 0) + 1);
  }
  return [...counts]
    .filter(([, count]) => count > maxFiles)
    .map(
      ([folder, count]) =>
        `${folder} has ${count} source files beside its tests, and ${maxFiles} are allowed: group them in folders by what they are about`,
    );
}
