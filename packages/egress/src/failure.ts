import type { Phase } from './dial.js';
import { FramingOverflowError } from './unreported-bytes.js';

/** Reason for a missing response. The attempt history of `@posthaste/callbacks` uses them too. */
export type FailureReason =
  | 'dns'
  | 'refused'
  | 'reset'
  | 'tls'
  | 'timeout'
  | 'blocked'
  | 'too_large'
  | 'protocol'
  | 'unknown';

/** Failure of a request that got no response. */
export interface Failure {
  readonly reason: FailureReason;
  /** Description for people. It may name the host, but no path, query or value of a header. */
  readonly detail: string;
  /**
   * True if the request itself is at fault and would fail again in the same way: its URL, its method
   * or a header cannot be sent, or its address is denied.
   */
  readonly permanent: boolean;
}

/** State of a request at the moment of its error. */
export interface FailurePoint {
  /** Host, with the port unless it is the scheme's own. */
  readonly host: string;
  readonly phase: Phase;
  /** True if the first byte of a response had arrived. */
  readonly isResponding: boolean;
}

/** Reasons by error code of Node, undici and the guard. An error without a code goes by its name. */
const reasonByCode: Readonly<Record<string, FailureReason>> = {
  ADDRESS_BLOCKED: 'blocked',
  ECONNREFUSED: 'refused',
  EHOSTDOWN: 'refused',
  EHOSTUNREACH: 'refused',
  ENETDOWN: 'refused',
  ENETUNREACH: 'refused',
  EACCES: 'refused', // a local firewall
  EPERM: 'refused',
  ECONNABORTED: 'reset',
  ECONNRESET: 'reset',
  EPIPE: 'reset',
  UND_ERR_SOCKET: 'reset', // the other side closed, without an error of the socket
  ETIMEDOUT: 'timeout',
  UND_ERR_HEADERS_OVERFLOW: 'too_large',
  RESPONSE_FRAMING_OVERFLOW: 'too_large',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'protocol',
  HTTPParserError: 'protocol',
  UND_ERR_INVALID_ARG: 'protocol',
  UND_ERR_NOT_SUPPORTED: 'protocol',
};

/** Codes of undici for a request that it refuses to send. */
const unsendable: ReadonlySet<string> = new Set(['UND_ERR_INVALID_ARG', 'UND_ERR_NOT_SUPPORTED']);

/** Code of a failed assertion in undici's parser, whose message is about undici's own source. */
const parserBroke = 'ERR_ASSERTION';

/** Message of undici's error for an upgrade, which it has no other mark for. */
const unaskedUpgrade = 'bad upgrade';

/** Description of a response with the status 101, after the name of the host. */
export const switchedProtocol: string =
  'switched to another protocol (status 101), although the request did not ask for it';

/** Description of what a request was doing when its time ran out, by phase. */
const activityIn: Readonly<Record<Phase, (host: string) => string>> = {
  idle: (host) => `waiting for a free connection to ${host}`,
  dns: (host) => `looking up the name of ${host}`,
  connect: (host) => `connecting to ${host}`,
  tls: (host) => `doing the TLS handshake with ${host}`,
  open: (host) => `waiting for the response of ${host}`,
};

/** Translates an error of Node, undici or the guard. This is the only place that reads their codes. */
export function toFailure(error: Error, point: FailurePoint): Failure {
  const code = codeOf(error);
  const reason = reasonOf(code, point);
  return {
    reason,
    detail: describe(reason, error, point),
    permanent: reason === 'blocked' || unsendable.has(code),
  };
}

/** Returns the failure of a request whose deadline passed before a response head arrived. */
export function toTimeout(timeoutMs: number, host: string, phase: Phase): Failure {
  const detail = `no response within ${timeoutMs} ms; timed out while ${activityIn[phase](host)}`;
  return { reason: 'timeout', detail, permanent: false };
}

function reasonOf(code: string, { phase, isResponding }: FailurePoint): FailureReason {
  if (phase === 'dns' && code !== 'ADDRESS_BLOCKED') return 'dns';
  // undici closed the socket in the middle of a response head, for example because of an upgrade
  // that was not asked for; or its parser met something that it takes for impossible.
  if (isResponding && (code === 'UND_ERR_SOCKET' || code === parserBroke)) return 'protocol';
  const reason = reasonByCode[code];
  if (reason !== undefined) return reason;
  if (phase === 'tls' || /^(ERR_TLS|ERR_SSL|CERT)_/.test(code)) return 'tls';
  return 'unknown';
}

function describe(reason: FailureReason, error: Error, { host, phase }: FailurePoint): string {
  const code = codeOf(error);
  switch (reason) {
    case 'dns':
      return `the name of ${host} could not be resolved (${code})`;
    case 'refused':
      return `no connection to ${host} could be made (${code})`;
    case 'reset':
      return `${host} closed the connection ${
        phase === 'tls' ? 'during the TLS handshake' : 'before it responded'
      } (${code})`;
    case 'tls':
      return `the TLS handshake with ${host} failed (${code})`;
    case 'timeout':
      return `${host} did not respond in time (${code})`;
    case 'blocked':
      return error.message;
    case 'too_large':
      if (error instanceof FramingOverflowError) return `${host} ${error.message}`;
      return `the headers of the response of ${host} are over the size limit`;
    case 'protocol':
      if (unsendable.has(code)) return `the request could not be sent: ${error.message}`;
      if (error.message === unaskedUpgrade) return `${host} ${switchedProtocol}`;
      return `the response of ${host} is not valid HTTP/1.1: ${
        code === parserBroke ? 'the parser gave up' : error.message
      }`;
    case 'unknown':
      return `the request to ${host} failed (${code})`;
  }
}

function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name;
}
