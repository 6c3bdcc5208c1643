import { PlatformError, parseApplicationRules } from '@posthaste/contracts';
import type { SettingFault, SettingValues } from './definition.js';
import { kafkaFaults, kafkaSettings } from './kafka-settings.js';

/** Settings of the event log. */
const ownSettings = {
  eventRetentionMs: {
    name: 'POSTHASTE_EVENT_RETENTION',
    type: 'duration',
    min: 3_600_000,
    max: 315_360_000_000,
    default: 604_800_000,
    meaning:
      'Time after which events are dropped from the event log, read or not. An event may stay longer by a seventh of this time, one day at most.',
  },
  topicApplications: {
    name: 'POSTHASTE_TOPIC_APPLICATIONS',
    type: 'list',
    items: 'string',
    default: [],
    meaning:
      'Topics that belong to an application, such as `orders=shop,game.*=game`: a name, or the beginning of names with `*` after it; the first that matches decides. A topic is listed by its name in the event log, and its dead letters and retries belong with it. Only its application and keys for all may use such a topic, and records in it that name no application belong to that one. Any other topic is shared: each application sees its own records. Gateway and worker read it.',
  },
  groupApplications: {
    name: 'POSTHASTE_GROUP_APPLICATIONS',
    type: 'list',
    items: 'string',
    default: [],
    meaning:
      'Consumer groups that belong to an application, written as POSTHASTE_TOPIC_APPLICATIONS is. An application sees these groups and those of its topics. The gateway reads it too.',
  },
} as const;

/** Settings of the event log and of the relay from it to Kafka. */
export const eventSettings: typeof ownSettings & typeof kafkaSettings = {
  ...ownSettings,
  ...kafkaSettings,
};

/** Checks the settings that map names to applications, for `check` of `readSettings`. */
export function applicationFaults(
  values: Partial<
    Pick<SettingValues<typeof eventSettings>, 'topicApplications' | 'groupApplications'>
  >,
): SettingFault[] {
  return (['topicApplications', 'groupApplications'] as const).flatMap((setting) => {
    const { name } = eventSettings[setting];
    try {
      parseApplicationRules(values[setting] ?? []);
      return [];
    } catch (error) {
      if (!(error instanceof PlatformError)) throw error;
      return [{ name, message: `${name}: ${error.message}.` }];
    }
  });
}

/** Checks the rules between settings of events, for `check` of `readSettings`. */
export function eventFaults(values: Partial<SettingValues<typeof eventSettings>>): SettingFault[] {
  return [...applicationFaults(values), ...kafkaFaults(values)];
}
