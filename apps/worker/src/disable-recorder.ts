import {
  type AuditEventSink,
  createChangeRecorder,
  lockTarget,
  platformActor,
} from '@posthaste/access';
import type { DisableRecorder } from '@posthaste/callbacks';

/** Creates the recorder of endpoints that a result has disabled, for the audit log. */
export function createDisableRecorder(events: AuditEventSink): DisableRecorder {
  const recordChange = createChangeRecorder(events);
  return {
    // The same lock as that of changes through the API, so that the states of entries follow one another.
    lock: (tx, id) => lockTarget(tx, { kind: 'endpoint', id }),
    async record(tx, endpoints) {
      for (const { id, application, name, reason, stateBefore } of endpoints) {
        await recordChange(tx, {
          application,
          actor: platformActor,
          action: 'endpoint.disabled',
          target: { kind: 'endpoint', id, name },
          before: { state: stateBefore },
          after: { state: 'disabled', stateReason: reason },
          note: reason,
        });
      }
    },
  };
}
