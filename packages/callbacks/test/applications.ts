import { expect } from 'vitest';
import type { PageRequest } from '../src/page.js';

/** Id that nothing has. */
const unknownId = '01890000-0000-7000-8000-000000000000';

/** Page of any list. */
export interface ListPage {
  readonly items: readonly object[];
  readonly next: string | undefined;
}

/** Reads a list page by page. */
export async function readAll(list: (page: PageRequest) => Promise<ListPage>, limit = 2) {
  const items: object[] = [];
  const cursors: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await list({ limit, cursor });
    items.push(...page.items);
    cursor = page.next;
    if (cursor !== undefined) cursors.push(cursor);
  } while (cursor !== undefined);
  return { items, cursors };
}

/** Checks that an action on something of another application ends as one on something that does not exist. */
export async function expectHidden(
  id: string,
  act: (id: string) => Promise<unknown>,
  code: string,
): Promise<void> {
  const outcome = (of: string): Promise<unknown> =>
    act(of).then(
      () => 'done',
      (error: Error) => ({ ...error, message: error.message.replaceAll(of, '<id>') }),
    );
  const hidden = await outcome(id);
  expect(hidden).toEqual(expect.objectContaining({ code }));
  expect(hidden).toEqual(await outcome(unknownId));
}
