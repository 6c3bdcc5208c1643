export { callbackFaults, callbackSettings, leaseMarginMs } from './callback-settings.js';
export { commandSettings } from './command-settings.js';
export type {
  BooleanSetting,
  ChoiceSetting,
  ChoicesSetting,
  DurationSetting,
  IntegerSetting,
  KeySetting,
  ListItem,
  ListSetting,
  SettingDefinition,
  SettingDefinitions,
  SettingFault,
  SettingValue,
  SettingValues,
  StringSetting,
  UrlSetting,
} from './definition.js';
export { eventFaults, eventSettings } from './event-settings.js';
export { gatewaySettings } from './gateway-settings.js';
export { platformSettings } from './platform-settings.js';
export { type Environment, type ReadOptions, readSettings } from './read.js';
export { type SettingSection, settingSections } from './registry.js';
export { renderSettings } from './render.js';
export { workerSettings } from './worker-settings.js';
