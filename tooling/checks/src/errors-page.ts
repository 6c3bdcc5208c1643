import {
  type ErrorCode,
  type ErrorCodeEntry,
  type ErrorType,
  errorCodes,
  httpStatusOf,
  isRetryable,
} from '@posthaste/contracts';

const introduction = `# Errors

Every failure has a stable code. Over HTTP it is returned as problem details
(\`application/problem+json\`, RFC 9457) with the members \`code\` and \`retryable\`; in
TypeScript it is a \`PlatformError\`. Branch on the code: messages are for people and may change.

The type of a code decides the HTTP status, unless a code has a status of its own. Retryable means
that the same call, unchanged, can succeed later.`;

/** Renders docs/errors.md: one table per type, sorted by status. */
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

function renderRow([code, entry]: [ErrorCode, ErrorCodeEntry]): string {
  const { type, meaning, status = httpStatusOf[type] } = entry;
  const retryable = isRetryable(type) ? 'yes' : 'no';
  const cells = [`\`${code}\``, status, retryable, meaning.replaceAll('|', '\\|')];
  return `| ${cells.join(' | ')} |`;
}
