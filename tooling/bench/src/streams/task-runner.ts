/** Runs the tasks in a contender's process. */

import { setTimeout as sleep } from 'node:timers/promises';
import { createEvent } from './bench-event.js';
import { MeasuredSpan } from './measured-span.js';
import type { EventListener, StreamContender, StreamPublisher } from './stream-contender.js';
import type { StreamTarget, StreamTask, TaskResult } from './stream-task.js';

const tickMs = 1;
const nsPerMs = 1e6;

type TaskOf<Kind extends StreamTask['kind']> = Extract<StreamTask, { kind: Kind }>;

/** A contender with its target, and the callback for the end of the warm-up. */
interface TaskContext {
  readonly contender: StreamContender;
  readonly target: StreamTarget;
  readonly begun: () => void;
}

/** Runs a task. */
export function runTask(context: TaskContext, task: StreamTask): Promise<TaskResult> {
  switch (task.kind) {
    case 'publish-each':
      return publishEach(context, task);
    case 'publish-all':
      return publishAll(context, task);
    case 'consume':
      return consume(context, task);
    case 'pace':
      return publishAtPace(context, task);
    case 'receive':
      return receive(context, task);
    case 'idle':
      return idle(context, task);
  }
}

async function publishEach(
  { contender, target, begun }: TaskContext,
  { callers, warmUpSeconds, seconds }: TaskOf<'publish-each'>,
): Promise<TaskResult> {
  const publisher = await contender.openPublisher(target);
  const event = createEvent();
  let acknowledged = 0;
  let isOver = false;
  const call = async (): Promise<void> => {
    while (!isOver) {
      await publisher.publish(event);
      acknowledged += 1;
    }
  };
  const calling = Promise.all(Array.from({ length: callers }, call));
  // The failure of a caller ends the wait at once.
  const wait = (forSeconds: number) => Promise.race([sleep(forSeconds * 1_000), calling]);
  await wait(warmUpSeconds);
  begun();
  const before = acknowledged;
  const span = new MeasuredSpan();
  await wait(seconds);
  const result = span.end(acknowledged - before);
  isOver = true;
  await calling;
  await publisher.close();
  return result;
}

async function publishAll(
  { contender, target, begun }: TaskContext,
  { warmUp, count }: TaskOf<'publish-all'>,
): Promise<TaskResult> {
  const event = createEvent();
  if (warmUp > 0) await (await contender.openPublisher(target)).publishAll(event, warmUp);
  const publisher = await contender.openPublisher(target);
  // So that the client connects and knows the partitions.
  await publisher.publish(event);
  begun();
  const span = new MeasuredSpan();
  await publisher.publishAll(event, count);
  return span.end(count);
}

async function consume(
  { contender, target, begun }: TaskContext,
  { groupId, warmUp, count }: TaskOf<'consume'>,
): Promise<TaskResult> {
  const { promise: done, resolve } = Promise.withResolvers<TaskResult>();
  let consumed = 0;
  let warm = 0;
  let span: MeasuredSpan | undefined;
  const onEvents = (more: number): void => {
    consumed += more;
    if (span === undefined && consumed >= warmUp) {
      warm = consumed;
      span = new MeasuredSpan();
      begun();
    }
    if (consumed >= count && span !== undefined) resolve(span.end(consumed - warm));
  };
  const listener = { kind: 'count', onEvents } as const;
  const consumer = await contender.openConsumer({ target, groupId, listener });
  const result = await done;
  await consumer.close();
  return result;
}

async function publishAtPace(
  { contender, target, begun }: TaskContext,
  { perSecond, warmUpSeconds, seconds }: TaskOf<'pace'>,
): Promise<TaskResult> {
  const publisher = await contender.openPublisher(target);
  await pace(perSecond, warmUpSeconds, () => publisher.publish(createEvent()));
  begun();
  const span = new MeasuredSpan();
  const events = await pace(perSecond, seconds, () => publishStamped(publisher));
  const result = span.end(events);
  await publisher.close();
  return result;
}

function publishStamped(publisher: StreamPublisher): Promise<unknown> {
  return publisher.publish(createEvent(String(process.hrtime.bigint())));
}

/** Publishes at a fixed rate, without waiting for the acknowledgements. Resolves to the number of events. */
async function pace(
  perSecond: number,
  seconds: number,
  publish: () => Promise<unknown>,
): Promise<number> {
  const count = perSecond * seconds;
  const startMs = performance.now();
  const acknowledged: Promise<unknown>[] = [];
  while (acknowledged.length < count) {
    const due = Math.min(count, ((performance.now() - startMs) / 1_000) * perSecond);
    while (acknowledged.length < due) acknowledged.push(publish());
    await sleep(tickMs);
  }
  await Promise.all(acknowledged);
  return count;
}

async function receive(
  { contender, target, begun }: TaskContext,
  { groupId, count }: TaskOf<'receive'>,
): Promise<TaskResult> {
  const { promise: done, resolve } = Promise.withResolvers<void>();
  const latenciesMs: number[] = [];
  const listener: EventListener = {
    kind: 'payload',
    onPayload: ({ sentAtNs }) => {
      if (sentAtNs === '') return;
      // All processes of a machine share this clock.
      latenciesMs.push(Number(process.hrtime.bigint() - BigInt(sentAtNs)) / nsPerMs);
      if (latenciesMs.length === count) resolve();
    },
  };
  const consumer = await contender.openConsumer({ target, groupId, listener });
  begun();
  const span = new MeasuredSpan();
  await done;
  const result = span.end(count);
  await consumer.close();
  return { ...result, latenciesMs };
}

async function idle(
  { contender, target, begun }: TaskContext,
  { groupId, settleSeconds, seconds }: TaskOf<'idle'>,
): Promise<TaskResult> {
  const publisher = await contender.openPublisher(target);
  const arrived = Promise.withResolvers<void>();
  const listener = { kind: 'count', onEvents: () => arrived.resolve() } as const;
  const consumer = await contender.openConsumer({ target, groupId, listener });
  await publisher.publish(createEvent());
  await arrived.promise;
  await sleep(settleSeconds * 1_000);
  begun();
  const span = new MeasuredSpan();
  await sleep(seconds * 1_000);
  const result = span.end(0);
  await Promise.all([publisher.close(), consumer.close()]);
  return result;
}
