import type { FieldFault } from '../field-faults.js';

const maxHeaders = 64;
const maxHeaderBytes = 16 * 1024;
const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** RFC 9110 field values: visible ASCII, spaces and tabs inside, and bytes over 0x7f as Latin-1. */
const fieldValue =
  /^(?:[\u0021-\u007e\u0080-\u00ff](?:[\t\u0020-\u007e\u0080-\u00ff]*[\u0021-\u007e\u0080-\u00ff])?)?$/;

/** Set by the sender itself: a caller's would break the request's framing or forge its signature. */
const refused: ReadonlySet<string> = new Set([
  'host',
  'content-length',
  'transfer-encoding',
  'connection',
  'keep-alive',
  'proxy-connection',
  'expect',
  'upgrade',
  'te',
  'trailer',
  'accept-encoding',
  'webhook-id',
  'webhook-timestamp',
  'webhook-signature',
  'traceparent',
  'tracestate',
]);

/** What is wrong with a caller's headers. */
export function headerFault(headers: Readonly<Record<string, string>>): FieldFault[] {
  const entries = Object.entries(headers);
  if (entries.length > maxHeaders) {
    return [{ field: 'headers', message: `has more than ${maxHeaders} headers` }];
  }
  const faults: FieldFault[] = [];
  const seen = new Set<string>();
  let bytes = 0;
  for (const [name, value] of entries) {
    const field = `headers.${name.slice(0, 64)}`;
    const lower = name.toLowerCase();
    bytes += name.length + value.length + 4;
    if (!token.test(name)) faults.push({ field, message: 'is not a header name' });
    else if (refused.has(lower)) faults.push({ field, message: 'is set by the sender itself' });
    else if (seen.has(lower)) faults.push({ field, message: 'is given twice' });
    else if (!fieldValue.test(value))
      faults.push({ field, message: 'has characters that no header may have' });
    seen.add(lower);
  }
  if (bytes > maxHeaderBytes) {
    faults.push({ field: 'headers', message: `are longer than ${maxHeaderBytes} bytes` });
  }
  return faults;
}
