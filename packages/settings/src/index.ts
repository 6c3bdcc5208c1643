export { applicationSettings } from './application-settings.js';
export {
  addressAdvice,
  callbackFaults,
  callbackSettings,
  leaseMarginMs,
} from './callback-settings.js';
export { commandSettings } from './command-settings.js';
export type { SettingDefinitions, SettingFault, SettingValues } from './definition.js';
export { applicationFaults, eventFaults, eventSettings } from './event-settings.js';
export { gatewaySettings } from './gateway-settings.js';
export {
  type KafkaConnection,
  type KafkaSettingValues,
  kafkaFaults,
  kafkaSettings,
  toKafkaConnection,
} from './kafka-settings.js';
export { platformSettings } from './platform-settings.js';
export { type Environment, readSettings } from './read.js';
export { realtimeFaults, realtimeSettings } from './realtime-settings.js';
export { settingSections } from './registry.js';
export { renderSettings } from './render.js';
export { signInSettings } from './sign-in-settings.js';
export { workerSettings } from './worker-settings.js';
