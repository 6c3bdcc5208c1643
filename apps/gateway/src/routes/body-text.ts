import { isUtf8 } from 'node:buffer';
import { PlatformError } from '@posthaste/contracts';

/**
 * The text of a body. JSON is UTF-8 (RFC 8259), whatever charset a Content-Type names: other bytes
 * would be replaced one by one, and what is passed on would not be what came.
 * @throws PlatformError `REQUEST_INVALID`
 */
export function toBodyText(body: Buffer): string {
  if (isUtf8(body)) return body.toString();
  throw new PlatformError('REQUEST_INVALID', 'the body is not UTF-8');
}
