import { hopsHeader } from '@posthaste/contracts';
import type { FieldFault } from '../field-faults.js';

const maxHeaders = 64;
const maxHeaderBytes = 16 * 1024;
const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/**
 * Field value of RFC 9110: visible ASCII, spaces and tabs inside, and bytes above 0x7f as Latin-1.
 */
const fieldValue =
  /^(?:[\u0021-\u007e\u0080-\u00ff](?:[\t\u0020-\u007e\u0080-\u00ff]*[\u0021-\u007e\u0080-\u00ff])?)?$/;

/**
 * Headers that the worker sets: a caller's would break the request's framing or forge its
 * signature.
 */
const reserved: ReadonlySet<string> = new Set([
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
  hopsHeader,
]);

/** Returns a fault for each of a caller's headers that may not be sent. */
export function headerFaults(headers: Readonly<Record<string, string>>): FieldFault[] {
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
    else if (reserved.has(lower))
      faults.push({ field, message: 'is reserved: the worker sets it' });
    else if (seen.has(lower)) faults.push({ field, message: 'is given twice' });
    else if (!fieldValue.test(value))
      faults.push({ field, message: 'has characters that are not allowed in a header' });
    seen.add(lower);
  }
  if (bytes > maxHeaderBytes) {
    faults.push({ field: 'headers', message: `are longer than ${maxHeaderBytes} bytes` });
  }
  return faults;
}
