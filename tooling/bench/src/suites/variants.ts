import type { Seed } from '../contender.js';
import type { Receiver } from '../receiver/receiver.js';
import type { Sizes } from './sizes.js';

/** What lies in the store when the worker starts. */
export interface Situation {
  /** Seeds that stay where they are while the due ones are delivered. */
  readonly background: readonly Seed[];
  readonly due: Seed;
}

/** A row that holds our rate in some situation against our rate in the plain one. */
export interface Variant {
  readonly id: string;
  readonly title: (sizes: Sizes) => string;
  /** Least share of the plain rate. Undefined: shown without a bar. */
  readonly share: number | undefined;
  readonly situation: (sizes: Sizes, receiver: Receiver) => Situation;
  /** Environment variables of the worker, on top of those it always has. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** Callbacks without order, and nothing else. */
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
    title: () => 'with every attempt and delivery told in the event log',
    share: 0.85,
    situation: plainSituation,
    settings: { POSTHASTE_CALLBACK_EVENTS: 'all' },
  },
  {
    id: 'hanging',
    title: ({ hanging }) => `with ${text(hanging)} more to a host that never answers`,
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
