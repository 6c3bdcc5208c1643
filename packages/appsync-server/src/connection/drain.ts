import { setTimeout as delay } from 'node:timers/promises';

/** Connection as the drain sees it. */
interface Closable {
  close(code: number, reason: string): void;
  terminate(): void;
}

const stepMs = 50;
/** Time in which clients answer the frame of type close. */
const farewellMs = 5_000;

/** Closes all connections with 1001, evenly over `drainMs`, and resolves when the set is empty. */
export async function drainConnections(
  connections: ReadonlySet<Closable>,
  drainMs: number,
): Promise<void> {
  const all = [...connections];
  const startedAt = performance.now();
  let closed = 0;
  while (closed < all.length && connections.size > 0) {
    const share = drainMs > 0 ? (performance.now() - startedAt + stepMs) / drainMs : 1;
    const due = Math.min(all.length, Math.ceil(all.length * share));
    for (; closed < due; closed += 1) all[closed]?.close(1001, 'server is going away');
    if (closed < all.length) await delay(stepMs);
  }
  const until = performance.now() + farewellMs;
  while (connections.size > 0 && performance.now() < until) await delay(10);
  for (const connection of [...connections]) connection.terminate();
  while (connections.size > 0) await delay(10);
}
