import {
  type ErasureStage,
  type ErasureStages,
  type RunningErasure,
  registryStage,
  settleStage,
} from '@posthaste/access';
import { removeRealtime } from '@posthaste/appsync-server/postgres';
import {
  allowDeliveries,
  eraseByRequests,
  eraseByResponses,
  removeCallbacks,
  removeSettings,
  removeWaiting,
} from '@posthaste/callbacks';
import type { ErasingProgress, ErasingStep, ErasureSelection } from '@posthaste/contracts';
import {
  eraseRecords,
  type RecordErasingOptions,
  removeClaims,
  removeReplays,
} from '@posthaste/eventstream/event-log';
import type { Transaction } from '@posthaste/postgres';

type Removal = (
  tx: Transaction,
  application: string,
  step: ErasingStep,
) => Promise<ErasingProgress>;

type Erasing = (
  tx: Transaction,
  selection: ErasureSelection,
  step: ErasingStep,
) => Promise<ErasingProgress>;

/**
 * Creates the stages of erasures. Those of an application: settings first, so that nothing new is made
 * for its endpoints; then its callbacks. What other processes accepted until they learned of the
 * removal is removed after `settle`, and then what is scanned as a whole: log and claims. The name is
 * free again after the last stage.
 */
export function createErasingStages(options: RecordErasingOptions = {}): ErasureStages {
  const records: Erasing = (tx, selection, step) =>
    eraseRecords(tx, selection, { ...step, ...options });
  return {
    application: [
      removal('settings', removeSettings),
      removal('realtime', removeRealtime),
      removal('waiting callbacks', removeWaiting),
      removal('callbacks', removeCallbacks),
      settleStage,
      removal('late settings', removeSettings),
      removal('late realtime', removeRealtime),
      removal('late waiting callbacks', removeWaiting),
      removal('late callbacks', removeCallbacks),
      removal('replays of dead letters', removeReplays),
      erasing('records', records),
      removal('claims of events', removeClaims),
      {
        ...registryStage,
        async run(tx, erasure, step) {
          await allowDeliveries(tx, nameOf(erasure));
          return registryStage.run(tx, erasure, step);
        },
      },
    ],
    payloads: [
      erasing('callbacks', eraseByRequests),
      erasing('responses', eraseByResponses),
      erasing('records', records),
    ],
  };
}

function removal(name: string, remove: Removal): ErasureStage {
  return { name, run: (tx, erasure, step) => remove(tx, nameOf(erasure), step) };
}

function erasing(name: string, erase: Erasing): ErasureStage {
  return { name, run: (tx, { selection }, step) => erase(tx, selection, step) };
}

function nameOf({ selection: { applications } }: RunningErasure): string {
  const [name] = applications === 'all' ? [] : applications;
  if (name !== undefined) return name;
  throw new Error('the removal names no application');
}
