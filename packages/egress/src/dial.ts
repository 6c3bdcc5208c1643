import { connect as connectTcp, isIP, type Socket } from 'node:net';
import {
  connect as connectTls,
  createSecureContext,
  rootCertificates,
  type SecureContext,
} from 'node:tls';
import { type AddressGuard, addressBlocked } from './address-guard.js';

/** State of a connection: not opened yet (`idle`), one of the steps of opening it, or open. */
export type Phase = 'idle' | 'dns' | 'connect' | 'tls' | 'open';

/** Server to connect to. */
interface DialTarget {
  readonly protocol: string;
  /** Name or address, IPv6 without brackets. */
  readonly hostname: string;
  /** Empty for the default port of the scheme. */
  readonly port: string;
}

/**
 * Callbacks of one dial. Either `onOpen` or `onError` is called, once and after `dial` has returned;
 * none of them if the socket is destroyed first.
 */
interface DialEvents {
  onPhase(phase: Phase): void;
  onOpen(socket: Socket): void;
  onError(error: Error): void;
}

/**
 * Opens one connection, to a checked address only. Returns the socket while it is still connecting,
 * so that the caller can destroy it; null if the address is denied.
 */
export type Dial = (target: DialTarget, events: DialEvents) => Socket | null;

/** TLS sessions that are kept, so that the next handshake with the same host is shorter. */
const maxTlsSessions = 500;

/**
 * Creates a dial that connects to no address that `guard` denies.
 * @param ca PEM certificates that are trusted besides the roots that come with Node
 */
export function createDial(guard: AddressGuard, ca: readonly string[]): Dial {
  const startTls = createTlsStarter(guard, ca);
  return (target, events) => {
    const isAddress = isIP(target.hostname) !== 0;
    // Node calls `lookup` for names only, so a literal address is checked here.
    const denial = isAddress ? guard.denialOf(target.hostname) : undefined;
    if (denial !== undefined) {
      process.nextTick(events.onError, addressBlocked(target.hostname, denial));
      return null;
    }
    events.onPhase(isAddress ? 'connect' : 'dns');
    const isTls = target.protocol === 'https:';
    const socket = isTls ? startTls(target, events) : startTcp(guard, target, events);
    socket.setNoDelay(true);
    socket.once('error', events.onError);
    socket.once(isTls ? 'secureConnect' : 'connect', () => {
      socket.off('error', events.onError);
      events.onPhase('open');
      events.onOpen(socket);
    });
    return socket;
  };
}

function startTcp(guard: AddressGuard, { hostname, port }: DialTarget, events: DialEvents): Socket {
  return connectTcp({
    host: hostname,
    port: Number(port || 80),
    lookup: reportingLookup(guard, events),
  });
}

function createTlsStarter(
  guard: AddressGuard,
  ca: readonly string[],
): (target: DialTarget, events: DialEvents) => Socket {
  const sessions = new Map<string, Buffer>();
  // Reading the root certificates is slow: it is done once, for the first https URL.
  let context: SecureContext | undefined;
  return ({ hostname, port }, events) => {
    context ??= createSecureContext(ca.length === 0 ? {} : { ca: [...rootCertificates, ...ca] });
    const key = `${hostname}:${port}`;
    const session = sessions.get(key);
    const socket = connectTls({
      host: hostname,
      port: Number(port || 443),
      lookup: reportingLookup(guard, events),
      servername: isIP(hostname) === 0 ? hostname.replace(/\.$/, '') : '',
      ALPNProtocols: ['http/1.1'],
      secureContext: context,
      ...(session === undefined ? {} : { session }),
    });
    socket.once('connect', () => events.onPhase('tls'));
    socket.on('session', (fresh) => {
      sessions.delete(key);
      sessions.set(key, fresh);
      const [oldest] = sessions.keys();
      if (sessions.size > maxTlsSessions && oldest !== undefined) sessions.delete(oldest);
    });
    return socket;
  };
}

/** Wraps the guard's lookup, and reports the phase `connect` when the name is resolved. */
function reportingLookup(guard: AddressGuard, events: DialEvents): AddressGuard['lookup'] {
  return (hostname, options, callback) => {
    guard.lookup(hostname, options, (error, address, family) => {
      if (error === null) events.onPhase('connect');
      callback(error, address, family);
    });
  };
}
