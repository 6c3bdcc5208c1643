import {
  type ErrorCode,
  type ErrorCodeEntry,
  type ErrorType,
  errorCodes,
  httpStatusOf,
  isRetryable,
} from '@posthaste/contracts';

const introduction = `# Errors

Every failure has a stable code. Over HTTP it arrives as problem details
(\`application/problem+json\`, RFC 9457) with the members \`code\` and \`retryable\`; in
TypeScript it is a \`PlatformError\`. Branch on the code: messages are for people and may change.

The type of a code decides the HTTP status. Retryable means that the same call can succeed later,
unchanged.`;

/** docs/errors.md: one table per type, in the order of their statuses. */
export function renderErrorsPage(): string {
  const types = (Object.keys(httpStatusOf) as ErrorType[]).sort(
    (one, other) => httpStatusOf[one] - httpStatusOf[other],
  );
  return `${[introduction, ...types.map(renderType)].join('\n\n')}\n`;
}

function renderType(type: ErrorType): string {
  const entries = Object.entries(errorCodes) as [ErrorCode, ErrorCodeEntry][];
  return [
    `## ${type}`,
    '',
    '| Code | HTTP status | Retryable | Meaning |',
    '|---|---|---|---|',
    ...entries.filter(([, entry]) => entry.type === type).map(renderRow),
  ].join('\n');
}

function renderRow([code, { type, meaning }]: [ErrorCode, ErrorCodeEntry]): string {
  const retryable = isRetryable(type) ? 'yes' : 'no';
  const cells = [`\`${code}\``, httpStatusOf[type], retryable, meaning.replaceAll('|', '\\|')];
  return `| ${cells.join(' | ')} |`;
}
