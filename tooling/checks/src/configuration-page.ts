import { renderSettings, settingSections } from '@posthaste/settings';

const introduction = `# Configuration

Settings are environment variables that are read once, at the start. If some are invalid, the process
reports all of them and exits with code 78. A secret can be read from a file: set \`NAME_FILE\` to the
path of the file. Durations are written with a unit: \`500ms\`, \`30s\`, \`5m\`, \`1h\`, \`7d\`.`;

/** Renders docs/configuration.md: every setting of the platform. */
export function renderConfigurationPage(): string {
  return `${introduction}\n\n${renderSettings(settingSections)}\n`;
}
