/** Position of a callback of the demo: the `sequence`-th of its queue, counted from 0. */
export interface QueuePosition {
  readonly queue: string;
  readonly sequence: number;
}

/** Callbacks that the demo posts, spread evenly over queues. */
export interface DemoPlan {
  /** Application of this run alone, so that two runs on one platform do not share queues. */
  readonly application: string;
  /** Number of callbacks by the name of their queue. */
  readonly queues: ReadonlyMap<string, number>;
  readonly callbacks: number;
}

/** Plans a run. @param callbacks at least as many as `queues` */
export function planDemo(application: string, callbacks: number, queues: number): DemoPlan {
  const digits = String(queues).length;
  const counts = Array.from({ length: queues }, (_, i) => {
    const name = `queue-${String(i + 1).padStart(digits, '0')}`;
    return [name, Math.floor(callbacks / queues) + (i < callbacks % queues ? 1 : 0)] as const;
  });
  return { application, queues: new Map(counts), callbacks };
}

/** Returns the path at the receiver that stands for a position. */
export function toPath({ queue, sequence }: QueuePosition): string {
  return `/${queue}/${sequence}`;
}

/** Returns the position that a path stands for, or `undefined` when it stands for none. */
export function parsePath(path: string): QueuePosition | undefined {
  const [, queue, sequence] = /^\/([^/]+)\/(\d{1,9})$/.exec(path) ?? [];
  return queue === undefined ? undefined : { queue, sequence: Number(sequence) };
}
