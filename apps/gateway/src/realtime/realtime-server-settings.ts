import { serverSettingFaults } from '@posthaste/appsync-server';
import { isJsonObject } from '@posthaste/contracts';

/**
 * Largest limits of a publish on a gateway. Its events share records of the event log, each of which
 * has place for so many, and all of them are in one transaction.
 */
const largest: Readonly<Record<string, number>> = {
  eventsPerPublish: 1_000,
  maxPublishBytes: 2_000_000,
};

/** Returns the faults of the members of the file that are about the whole gateway. */
export function serverFaults(members: Readonly<Record<string, unknown>>): string[] {
  const limits = Object.entries(isJsonObject(members.limits) ? members.limits : {});
  const tooLarge = limits.filter(([name, limit]) => Number(limit) > (largest[name] ?? Infinity));
  return [
    ...serverSettingFaults(members).map(({ field, message }) => `${field} ${message}`),
    ...tooLarge.map(([name]) => `limits has '${name}', which is above ${largest[name]}`),
  ];
}
