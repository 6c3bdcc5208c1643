import type { Seed } from '../contender.js';
import type { Receiver } from '../receiver/receiver.js';
import type { Sizes } from './sizes.js';

/** Content of the store when the worker starts. */
export interface Situation {
  /** Seeds that are not delivered. */
  readonly background: readonly Seed[];
  readonly due: Seed;
}

/** Row that compares our rate in some situation with our rate in the plain one. */
export interface Variant {
  readonly id: string;
  readonly title: (sizes: Sizes) => string;
  /** Required share of the plain rate; undefined means no bar. */
  readonly share: number | undefined;
  readonly situation: (sizes: Sizes, receiver: Receiver) => Situation;
  /** Environment variables of the worker, in addition to its usual ones. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** Returns the plain situation: callbacks without order, and nothing else. */
export function plainSituation({ callbacks: count }: Sizes, { url }: Receiver): Situation {
  return { background: [], due: { kind: 'ready', count, url } };
}

export const variants: readonly Variant[] = [
  {
    id: 'ordered',
    title: ({ orderedQueues }) => `in ${text(orderedQueues)} ordered queues`,
    share: 0.7,
    situation: ({ callbacks: count, orderedQueues: queues }, { url }) => ({
      background: [],
      due: { kind: 'ordered', count, queues, url },
    }),
  },
  {
    id: 'blocked',
    title: ({ blocked, blockedQueues }) =>
      `with ${text(blocked)} more waiting behind ${text(blockedQueues)} blocked heads`,
    share: 0.9,
    situation: (sizes, receiver) => {
      const { blocked: count, blockedQueues: queues } = sizes;
      const blocked = { kind: 'blocked', count, queues, url: receiver.unavailableUrl } as const;
      return { ...plainSituation(sizes, receiver), background: [blocked] };
    },
  },
  {
    id: 'history',
    title: ({ history }) => `with a finished history of ${text(history)}`,
    share: 0.9,
    situation: (sizes, receiver) => {
      const finished = { kind: 'finished', count: sizes.history, url: receiver.url } as const;
      return { ...plainSituation(sizes, receiver), background: [finished] };
    },
  },
  {
    id: 'events',
    title: () => 'with events about every attempt and delivery in the event log',
    share: 0.85,
    situation: plainSituation,
    settings: { POSTHASTE_CALLBACK_EVENTS: 'all' },
  },
  {
    id: 'hanging',
    title: ({ hanging }) => `with ${text(hanging)} more to a host that never responds`,
    share: undefined,
    situation: (sizes, receiver) => {
      const hanging = { kind: 'ready', count: sizes.hanging, url: receiver.hangUrl } as const;
      return { ...plainSituation(sizes, receiver), background: [hanging] };
    },
  },
];

function text(count: number): string {
  return count.toLocaleString('en-US');
}
