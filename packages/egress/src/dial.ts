import type { LookupAddress } from 'node:dns';
import { isIP, type Socket } from 'node:net';
import {
  connect as connectTls,
  createSecureContext,
  rootCertificates,
  type SecureContext,
  type TLSSocket,
} from 'node:tls';
import { type AddressGuard, addressBlocked } from './address-guard.js';
import { alternateFamilies, type Dialing, raceAddresses } from './address-race.js';

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
 * none of them if the dial is destroyed first.
 */
interface DialEvents {
  onPhase(phase: Phase): void;
  onOpen(socket: Socket): void;
  onError(error: Error): void;
}

/**
 * Opens one connection, to a checked address only. Returns what can be destroyed while it is being
 * opened; null if the address is denied.
 */
export type Dial = (target: DialTarget, events: DialEvents) => Dialing | null;

/** TLS sessions that are kept, so that the next handshake with the same host is shorter. */
const maxTlsSessions = 500;

/**
 * Creates a dial that connects to no address that `guard` denies.
 * @param ca PEM certificates that are trusted besides the roots that come with Node
 */
export function createDial(guard: AddressGuard, ca: readonly string[]): Dial {
  const startTls = createTlsStarter(ca);
  return (target, events) => {
    const { hostname } = target;
    const isAddress = isIP(hostname) !== 0;
    // The guard's `lookup` is for names only, so a literal address is checked here.
    const denial = isAddress ? guard.denialOf(hostname) : undefined;
    if (denial !== undefined) {
      process.nextTick(events.onError, addressBlocked(hostname, denial));
      return null;
    }
    const dialing = new HostDialing(target, events, startTls);
    if (isAddress) dialing.connect([hostname]);
    else dialing.lookUp(guard);
    return dialing;
  };
}

/** Steps of one dial: the lookup of the name, the race of its addresses, the TLS handshake. */
class HostDialing implements Dialing {
  readonly #target: DialTarget;
  readonly #events: DialEvents;
  readonly #startTls: TlsStarter;
  #step: Dialing | undefined;
  #isDestroyed = false;

  constructor(target: DialTarget, events: DialEvents, startTls: TlsStarter) {
    this.#target = target;
    this.#events = events;
    this.#startTls = startTls;
  }

  lookUp(guard: AddressGuard): void {
    this.#events.onPhase('dns');
    guard.lookup(this.#target.hostname, { all: true }, (error, addresses) => {
      if (this.#isDestroyed) return;
      if (error !== null) this.#events.onError(error);
      else this.connect(alternateFamilies(addresses as LookupAddress[]));
    });
  }

  /** Connects to one of the addresses, which are checked. */
  connect(addresses: readonly string[]): void {
    const { protocol, port } = this.#target;
    const isTls = protocol === 'https:';
    this.#events.onPhase('connect');
    this.#step = raceAddresses(addresses, Number(port || (isTls ? 443 : 80)), {
      onOpen: (socket) => (isTls ? this.#secure(socket) : this.#open(socket)),
      onError: this.#events.onError,
    });
  }

  destroy(): void {
    this.#isDestroyed = true;
    this.#step?.destroy();
  }

  #secure(tcp: Socket): void {
    const { onPhase, onError } = this.#events;
    onPhase('tls');
    const socket = this.#startTls(this.#target, tcp);
    this.#step = socket;
    socket.once('error', onError);
    socket.once('secureConnect', () => {
      socket.off('error', onError);
      this.#open(socket);
    });
  }

  #open(socket: Socket): void {
    this.#events.onPhase('open');
    this.#events.onOpen(socket);
  }
}

/** Starts the TLS handshake on a socket that is connected to the target. */
type TlsStarter = (target: DialTarget, tcp: Socket) => TLSSocket;

function createTlsStarter(ca: readonly string[]): TlsStarter {
  const sessions = new Map<string, Buffer>();
  // Reading the root certificates is slow: it is done once, for the first https URL.
  let context: SecureContext | undefined;
  return ({ hostname, port }, tcp) => {
    context ??= createSecureContext(ca.length === 0 ? {} : { ca: [...rootCertificates, ...ca] });
    const key = `${hostname}:${port}`;
    const session = sessions.get(key);
    const socket = connectTls({
      socket: tcp,
      host: hostname, // Without a `servername` the certificate is checked against it.
      servername: isIP(hostname) === 0 ? hostname.replace(/\.$/, '') : '',
      ALPNProtocols: ['http/1.1'],
      secureContext: context,
      ...(session === undefined ? {} : { session }),
    });
    // An error of the TCP socket that the TLS socket does not report itself.
    tcp.on('error', (error) => socket.destroy(error));
    socket.on('session', (fresh) => {
      sessions.delete(key);
      sessions.set(key, fresh);
      const [oldest] = sessions.keys();
      if (sessions.size > maxTlsSessions && oldest !== undefined) sessions.delete(oldest);
    });
    return socket;
  };
}
