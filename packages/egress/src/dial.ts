import { connect as connectTcp, isIP, type Socket } from 'node:net';
import {
  connect as connectTls,
  createSecureContext,
  rootCertificates,
  type SecureContext,
} from 'node:tls';
import { type AddressGuard, addressBlocked } from './address-guard.js';

/** What a connection is doing: nothing yet, one of the steps of opening, or open. */
export type Phase = 'idle' | 'dns' | 'connect' | 'tls' | 'open';

interface DialTarget {
  readonly protocol: string;
  /** Name or address, IPv6 without brackets. */
  readonly hostname: string;
  /** Empty for the scheme's own. */
  readonly port: string;
}

/** One of `onOpen` and `onError` is called, once and after `dial` returned, or neither when the socket is destroyed first. */
interface DialEvents {
  onPhase(phase: Phase): void;
  onOpen(socket: Socket): void;
  onError(error: Error): void;
}

/**
 * Opens one connection to a checked address. Gives the socket while it is still connecting, so
 * that the caller can destroy it; null when the address is denied.
 */
export type Dial = (target: DialTarget, events: DialEvents) => Socket | null;

/** TLS sessions kept for a quicker handshake with hosts that are connected to again. */
const maxTlsSessions = 500;

/** @param ca PEM certificates trusted besides the roots that come with Node */
export function createDial(guard: AddressGuard, ca: readonly string[]): Dial {
  const startTls = createTlsStarter(guard, ca);
  return (target, events) => {
    const isAddress = isIP(target.hostname) !== 0;
    // Sockets ask `lookup` for names only: a literal address is judged here.
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
  // Reading the root certificates takes long: once, and not before the first https URL.
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

/** The guard's lookup, telling when the name is resolved. */
function reportingLookup(guard: AddressGuard, events: DialEvents): AddressGuard['lookup'] {
  return (hostname, options, callback) => {
    guard.lookup(hostname, options, (error, address, family) => {
      if (error === null) events.onPhase('connect');
      callback(error, address, family);
    });
  };
}
