import { posix } from 'node:path';

const inlineCode = /`([^`\n]+)`/g;
const linkTarget = /\]\(([^)\s#]+)/g;
const repositoryPath = /^(?:apps|packages|tooling|docs|examples)\/[\w./@-]+$/;
/** Written by the build, so a clean checkout lacks it. */
const buildOutput = /(?:^|\/)dist\//;

/**
 * Returns the paths of the repository that a Markdown page names, from the root and without
 * duplicates: words of inline code that start with `apps/`, `packages/`, `tooling/`, `docs/` or
 * `examples/`, and targets of links, which are relative to the page. Patterns such as `packages/*`
 * and files that the build writes are left out.
 * @param page path of the page from the root, with forward slashes
 */
export function namedPaths(page: string, text: string): string[] {
  const inCode = [...text.matchAll(inlineCode)]
    .flatMap(([, code = '']) => code.split(/\s+/))
    .filter((word) => repositoryPath.test(word));
  const linked = [...text.matchAll(linkTarget)]
    .map(([, target = '']) => target)
    .filter((target) => !/^[a-z]+:|^\//i.test(target))
    .map((target) => posix.join(posix.dirname(page), target));
  return [...new Set([...inCode, ...linked])].filter((path) => !buildOutput.test(path));
}
