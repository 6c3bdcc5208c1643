// @vitest-environment jsdom
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readExamples } from '@posthaste/testbed/examples';
import { createElement, type FunctionComponent, StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import type { WebSocketClient, WebSocketConstructor } from '../src/index.js';
import { idOf, last, open } from './open-client.js';
import { startScripted } from './scripted-server.js';

const folder = join(import.meta.dirname, '..');

/** Loads a component as it stands. Its imports resolve as those of a file of the package. */
async function load(source: string): Promise<Record<string, unknown>> {
  const scratch = await mkdtemp(join(folder, 'dist', 'example-'));
  onTestFinished(() => rm(scratch, { recursive: true, force: true }));
  const file = join(scratch, 'example.tsx');
  await writeFile(file, source);
  return import(/* @vite-ignore */ file);
}

it('shows what the component of the README promises', async () => {
  const examples = await readExamples(join(folder, 'README.md'), 'tsx');
  expect(examples).toHaveLength(1);
  const { Room } = await load(examples[0] ?? '');
  const server = await startScripted();
  const client = await open(server, { WebSocket: WebSocket as unknown as WebSocketConstructor });
  const container = document.body.appendChild(document.createElement('div'));
  const root = createRoot(container);
  onTestFinished(() => root.unmount());
  const render = (props: { client: WebSocketClient | undefined }) => {
    const room = createElement(Room as FunctionComponent<typeof props>, props);
    root.render(createElement(StrictMode, null, room));
  };
  render({ client: undefined });
  await expect.poll(() => container.textContent).toBe('idle');
  render({ client });
  await expect.poll(() => server.peers[0]?.frames.at(-1)?.type).toBe('subscribe');
  await expect.poll(() => container.textContent).toBe('');
  for (const event of ['1', '2']) {
    last(server).send({ type: 'data', id: idOf(last(server)), event });
  }
  await expect.poll(() => container.textContent).toBe('1 2');
});
