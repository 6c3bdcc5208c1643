import { setImmediate as nextTurn } from 'node:timers/promises';
import { ExpiringCache } from '@posthaste/contracts';
import type { Queryable } from '@posthaste/postgres';
import { AllowedRecipients, toMailbox, toRecipientAddress } from './mail-address.js';
import { registerRecipients, type StoredMention } from './recipient-store.js';

/** Options of a {@link RecipientRegistry}. */
export interface RegistryOptions {
  /** Addresses (`ops@example.com`) and domains (`*@example.com`) that need no confirmation. */
  readonly allowed?: readonly string[] | undefined;
  /** Time after which a recipient is looked up again, in ms. Default 600,000. */
  readonly ttlMs?: number | undefined;
  /** Most recipients that are remembered. Default 10,000. */
  readonly maxCached?: number | undefined;
}

/** Address as it comes with a callback or an endpoint. */
export interface NamedRecipient {
  readonly application: string;
  readonly address: string;
  /** True if the caller's addresses need no confirmation. */
  readonly isTrusted: boolean;
}

interface Batch {
  readonly mentions: Map<string, StoredMention>;
  readonly stored: Promise<void>;
}

/**
 * Stores the recipients that callers name, before what names them is accepted. A recipient that this
 * process has seen costs nothing; those that are new are stored together, one statement at a time.
 */
export class RecipientRegistry {
  readonly #db: Queryable;
  readonly #allowed: AllowedRecipients;
  readonly #ttlMs: number;
  readonly #known: ExpiringCache<true>;
  #batch: Batch | undefined;
  #lastStored: Promise<void> = Promise.resolve();

  constructor(db: Queryable, options: RegistryOptions = {}) {
    this.#db = db;
    this.#allowed = new AllowedRecipients(options.allowed);
    this.#ttlMs = options.ttlMs ?? 600_000;
    this.#known = new ExpiringCache(options.maxCached ?? 10_000);
  }

  /**
   * Stores a recipient if this process has not seen it. A text that is no address is ignored: no
   * mail goes there. Returns `undefined` if there is nothing to wait for.
   * @throws PlatformError `DATABASE_*`
   */
  register(named: NamedRecipient): Promise<void> | undefined {
    const mention = this.#toMention(named);
    if (mention === undefined) return undefined;
    const { application, address, isTrusted } = mention;
    const key = `${isTrusted ? '+' : '-'}${application}\0${address}`;
    if (this.#known.get(key, performance.now())) return undefined;
    this.#batch ??= this.#openBatch();
    this.#batch.mentions.set(key, mention);
    return this.#batch.stored;
  }

  /** Stores a recipient in the transaction of what names it. @throws PlatformError `DATABASE_*` */
  async registerIn(tx: Queryable, named: NamedRecipient): Promise<void> {
    const mention = this.#toMention(named);
    if (mention) await registerRecipients(tx, [mention]);
  }

  #toMention({ application, address: text, isTrusted }: NamedRecipient): StoredMention | undefined {
    const address = toRecipientAddress(text);
    if (address === undefined) return undefined;
    return {
      application,
      address,
      mailbox: toMailbox(address),
      isTrusted: isTrusted || this.#allowed.has(address),
    };
  }

  /** Opens a batch that is stored after the one before, and not before this turn has ended. */
  #openBatch(): Batch {
    const mentions = new Map<string, StoredMention>();
    const stored = Promise.all([this.#lastStored, nextTurn()]).then(async () => {
      this.#batch = undefined;
      await registerRecipients(this.#db, [...mentions.values()]);
      const until = performance.now() + this.#ttlMs;
      for (const key of mentions.keys()) this.#known.set(key, true, until);
    });
    this.#lastStored = stored.catch(() => undefined);
    return { mentions, stored };
  }
}
