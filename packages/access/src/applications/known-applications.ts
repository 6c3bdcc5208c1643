import type { Queryable } from '@posthaste/postgres';
import { listDeletingNames } from './application-store.js';
import type { RegisterNames, Registrant } from './recorded-registration.js';

/** Options of the applications that a process knows. */
export interface KnownApplicationsOptions {
  /** Registers names that are new, see `createRecordedRegistration`. */
  readonly register: RegisterNames;
  /** Wait between two looks at the states of applications, in ms. Default 400. */
  readonly refreshMs?: number | undefined;
  /** Most names that are remembered as registered. Default 10,000. */
  readonly maxNames?: number | undefined;
  /** Called when names could not be registered or states not read. Both are tried again. */
  readonly onError?: ((error: unknown) => void) | undefined;
}

/** Most names that are registered by one statement. */
const maxBatch = 1_000;

/**
 * Applications as one process knows them, so that a request needs no promise: those that are being
 * deleted, at most a second old, and those whose names are registered. New names that come at the
 * same time are registered by one statement.
 */
export class KnownApplications {
  readonly #db: Queryable;
  readonly #refreshMs: number;
  readonly #maxNames: number;
  readonly #onError: (error: unknown) => void;
  readonly #register: RegisterNames;
  #deleting: ReadonlySet<string> = new Set();
  readonly #registered = new Set<string>();
  readonly #waiting = new Map<string, Registrant>();
  #registration: Promise<void> | undefined;
  #started: Promise<void> | undefined;
  #refreshing: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isReady = false;
  #isClosed = false;

  constructor(db: Queryable, options: KnownApplicationsOptions) {
    const { refreshMs = 400, maxNames = 10_000, onError = () => undefined } = options;
    this.#db = db;
    this.#refreshMs = refreshMs;
    this.#maxNames = maxNames;
    this.#onError = onError;
    this.#register = options.register;
  }

  /** True after the first read of the states, also if it failed. */
  get isReady(): boolean {
    return this.#isReady;
  }

  /**
   * Starts to read the states of applications, if it has not started. Resolves after the first
   * read, also when that fails: what needs the database then fails by itself.
   */
  start(): Promise<void> {
    this.#started ??= this.#refresh();
    return this.#started;
  }

  /** True if the application is being deleted. */
  isDeleting(application: string): boolean {
    return this.#deleting.has(application);
  }

  /** True if this process has registered the name. */
  isRegistered(application: string): boolean {
    return this.#registered.has(application);
  }

  /**
   * Registers names that a caller for all applications has used. Resolves when that is done; if the
   * database does not answer, at once: it is tried again.
   */
  async register(applications: readonly string[], by: Registrant): Promise<void> {
    for (const application of applications) {
      const isKnown = this.#registered.has(application) || this.#waiting.has(application);
      if (isKnown || this.#waiting.size >= this.#maxNames) continue;
      this.#waiting.set(application, by);
    }
    if (this.#waiting.size > 0) this.#registration ??= this.#registerWaiting();
    await this.#registration;
  }

  /** Stops, after a last attempt to register names. Idempotent. The database stays open. */
  async close(): Promise<void> {
    if (this.#waiting.size > 0) this.#registration ??= this.#registerWaiting();
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await Promise.all([this.#refreshing, this.#registration]);
  }

  async #registerWaiting(): Promise<void> {
    try {
      while (this.#waiting.size > 0) {
        // Not at once: names of the same moment go in one statement.
        await Promise.resolve();
        const names = new Map([...this.#waiting].slice(0, maxBatch));
        await this.#register(names);
        for (const name of names.keys()) this.#remember(name);
      }
    } catch (error) {
      // They wait for the next refresh.
      this.#onError(error);
    } finally {
      this.#registration = undefined;
    }
  }

  #remember(name: string): void {
    this.#waiting.delete(name);
    if (this.#registered.size >= this.#maxNames) {
      const [oldest] = this.#registered;
      if (oldest !== undefined) this.#registered.delete(oldest);
    }
    this.#registered.add(name);
  }

  /** Reads the states, now and then at intervals. Does not reject. */
  #refresh(): Promise<void> {
    this.#refreshing = this.#readStates()
      .catch(this.#onError)
      .finally(() => {
        this.#isReady = true;
        if (this.#isClosed) return;
        this.#timer = setTimeout(() => void this.#refresh(), this.#refreshMs).unref();
      });
    return this.#refreshing;
  }

  async #readStates(): Promise<void> {
    const deleting = await listDeletingNames(this.#db);
    this.#deleting = new Set(deleting);
    // Whoever names one of them after its end creates it again.
    for (const name of deleting) this.#registered.delete(name);
    if (this.#waiting.size > 0) this.#registration ??= this.#registerWaiting();
  }
}
