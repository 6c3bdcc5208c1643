import { renderSettings, settingSections } from '@posthaste/settings';

const introduction = `# Configuration

Settings are environment variables, read once at start. All that is wrong is reported at once, and
the process ends with 78. A secret may come from a file instead: \`NAME_FILE\` names it. Durations
are written with a unit: \`500ms\`, \`30s\`, \`5m\`, \`1h\`, \`7d\`.`;

/** docs/configuration.md: every setting of the platform. */
export function renderConfigurationPage(): string {
  return `${introduction}\n\n${renderSettings(settingSections)}\n`;
}
