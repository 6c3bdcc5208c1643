import { describe, expect, it } from 'vitest';
import { findCrowdedFolders } from './folder-size.js';
import { listSourceFiles } from './source-imports.js';
import { listWorkspacePackages } from './workspace.js';

function filesIn(folder: string, count: number, ending = '.ts'): string[] {
  return Array.from({ length: count }, (_, index) => `${folder}/file-${index}${ending}`);
}

describe('the repository', () => {
  it('has no folder of sources with more than 25 files beside its tests', () => {
    const files = listWorkspacePackages().flatMap(({ folder }) =>
      listSourceFiles(folder, 'src').map((file) => `${folder}/${file}`),
    );
    expect(files).toContain('tooling/checks/src/folder-size.ts');
    expect(findCrowdedFolders(files)).toEqual([]);
  });
});

describe('findCrowdedFolders', () => {
  it('names a folder with 26 files, and the count', () => {
    const [line, ...others] = findCrowdedFolders(filesIn('packages/a/src', 26));
    expect(line).toMatch(
      /^packages\/a\/src has 26 source files beside its tests, and 25 are allowed/,
    );
    expect(others).toEqual([]);
  });

  it('counts neither tests nor the files of subfolders', () => {
    const files = [
      ...filesIn('packages/a/src', 25),
      ...filesIn('packages/a/src', 10, '.test.ts'),
      ...filesIn('packages/a/src/part', 25),
    ];
    expect(findCrowdedFolders(files)).toEqual([]);
  });
});
