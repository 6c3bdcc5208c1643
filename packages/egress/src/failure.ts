import type { Phase } from './dial.js';

/** Why there is no answer. The words of the attempt history: callbacks spec, section 3. */
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

export interface Failure {
  readonly reason: FailureReason;
  /** A line for people. Names the host at most: no path, no query, no header. */
  readonly detail: string;
  /**
   * The request itself is at fault, and would fail again in the same way: its URL, its method or a
   * header cannot be sent, or its address is denied.
   */
  readonly permanent: boolean;
}

/** Where an exchange stood when its error came. */
export interface FailurePoint {
  /** Host, with the port unless it is the scheme's own. */
  readonly host: string;
  readonly phase: Phase;
  /** Whether the first byte of an answer had arrived. */
  readonly answering: boolean;
}

/** What the error codes of Node, undici and the guard mean; an error without one goes by its name. */
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
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'protocol',
  HTTPParserError: 'protocol',
  UND_ERR_INVALID_ARG: 'protocol',
  UND_ERR_NOT_SUPPORTED: 'protocol',
};

/** What undici says of a request that it does not send. */
const unsendable: ReadonlySet<string> = new Set(['UND_ERR_INVALID_ARG', 'UND_ERR_NOT_SUPPORTED']);

/** Where the time of a request went when it ran out. */
const spentOn: Readonly<Record<Phase, (host: string) => string>> = {
  idle: (host) => `waiting for a free connection to ${host}`,
  dns: (host) => `looking up the name of ${host}`,
  connect: (host) => `connecting to ${host}`,
  tls: (host) => `the TLS handshake with ${host}`,
  open: (host) => `waiting for the answer of ${host}`,
};

/** Translates an error of Node, undici or the guard. The only place that reads their codes. */
export function toFailure(error: Error, point: FailurePoint): Failure {
  const code = codeOf(error);
  const reason = reasonOf(code, point);
  return {
    reason,
    detail: describe(reason, code, point, error),
    permanent: reason === 'blocked' || unsendable.has(code),
  };
}

/** The failure of a request whose total deadline passed before the head of an answer was there. */
export function toTimeout(timeoutMs: number, host: string, phase: Phase): Failure {
  const detail = `no answer came within ${timeoutMs} ms; the time went into ${spentOn[phase](host)}`;
  return { reason: 'timeout', detail, permanent: false };
}

function reasonOf(code: string, { phase, answering }: FailurePoint): FailureReason {
  if (phase === 'dns' && code !== 'ADDRESS_BLOCKED') return 'dns';
  // Closed or refused by us in the middle of a head, such as an upgrade nobody asked for.
  if (answering && code === 'UND_ERR_SOCKET') return 'protocol';
  const reason = reasonByCode[code];
  if (reason !== undefined) return reason;
  if (phase === 'tls' || /^(ERR_TLS|ERR_SSL|CERT)_/.test(code)) return 'tls';
  return 'unknown';
}

function describe(
  reason: FailureReason,
  code: string,
  { host, phase }: FailurePoint,
  error: Error,
): string {
  switch (reason) {
    case 'dns':
      return `the name of ${host} could not be resolved (${code})`;
    case 'refused':
      return `no connection to ${host} could be made (${code})`;
    case 'reset':
      return `${host} closed the connection ${
        phase === 'tls' ? 'during the TLS handshake' : 'before it answered'
      } (${code})`;
    case 'tls':
      return `the TLS handshake with ${host} failed (${code})`;
    case 'timeout':
      return `${host} did not answer in time (${code})`;
    case 'blocked':
      return error.message;
    case 'too_large':
      return `the headers of the answer of ${host} are over the size limit`;
    case 'protocol':
      return unsendable.has(code)
        ? `the request could not be sent: ${error.message}`
        : `the answer of ${host} is not valid HTTP/1.1: ${error.message}`;
    case 'unknown':
      return `the exchange with ${host} failed (${code})`;
  }
}

function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name;
}
