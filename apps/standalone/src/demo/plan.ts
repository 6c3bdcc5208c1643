/** One callback of the demo: the `sequence`-th of its queue, counted from 0. */
export interface Place {
  readonly queue: string;
  readonly sequence: number;
}

/** What is posted: callbacks spread evenly over queues. */
export interface DemoPlan {
  /** Of this run alone, so that runs on one platform do not meet in a queue. */
  readonly application: string;
  /** Queue name to the number of its callbacks. */
  readonly queues: ReadonlyMap<string, number>;
  readonly callbacks: number;
}

/** @param callbacks at least as many as `queues` */
export function planDemo(application: string, callbacks: number, queues: number): DemoPlan {
  const digits = String(queues).length;
  const counts = Array.from({ length: queues }, (_, i) => {
    const name = `queue-${String(i + 1).padStart(digits, '0')}`;
    return [name, Math.floor(callbacks / queues) + (i < callbacks % queues ? 1 : 0)] as const;
  });
  return { application, queues: new Map(counts), callbacks };
}

/** The path at the receiver that stands for a place. */
export function toPath({ queue, sequence }: Place): string {
  return `/${queue}/${sequence}`;
}

/** The place that a path stands for; `undefined` when it is none. */
export function parsePath(path: string): Place | undefined {
  const [, queue, sequence] = /^\/([^/]+)\/(\d{1,9})$/.exec(path) ?? [];
  return queue === undefined ? undefined : { queue, sequence: Number(sequence) };
}
