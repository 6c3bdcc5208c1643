import { type Command, Option } from 'commander';

/** Output that a command was asked for. */
export interface OutputOptions {
  /** True for JSON, else text for people. */
  readonly json?: boolean;
  /** Name of the format. `json` above follows it. */
  readonly output?: string;
}

const formats = ['text', 'json'];

/**
 * Adds `-o json`, and `--json` as another name of it, to a command that prints.
 * @param json description of what is printed then
 */
export function addOutputOption(command: Command, json = 'print JSON'): Command {
  command
    .addOption(
      new Option('-o, --output <format>', `format of the output; json: ${json}`)
        .choices(formats)
        .default('text'),
    )
    .addOption(new Option('--json', 'the same as --output json'));
  return command.on('option:output', (format: string) => {
    command.setOptionValue('json', format === 'json');
  });
}
