import { isSecret, type SettingDefinition } from './definition.js';
import { describeDefault, describeType } from './describe.js';
import type { SettingSection } from './registry.js';

/** Renders settings as Markdown, one table per section, for docs/configuration.md. */
export function renderSettings(sections: readonly SettingSection[]): string {
  return sections.map(renderSection).join('\n\n');
}

function renderSection(section: SettingSection): string {
  return [
    `## ${section.title}`,
    '',
    section.meaning,
    '',
    '| Variable | Takes | Default | Meaning |',
    '|---|---|---|---|',
    ...Object.values(section.settings).map(renderRow),
  ].join('\n');
}

function renderRow(definition: SettingDefinition): string {
  const name = isSecret(definition)
    ? `\`${definition.name}\` or \`${definition.name}_FILE\``
    : `\`${definition.name}\``;
  return `| ${[name, describeType(definition), renderDefault(definition), definition.meaning].map(escapeCell).join(' | ')} |`;
}

function renderDefault(definition: SettingDefinition): string {
  const text = describeDefault(definition);
  if (text !== undefined) return text === '' ? 'empty' : `\`${text}\``;
  return definition.required ? 'must be set' : 'not set';
}

function escapeCell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}
