/*
 * Members of channels, which gateways share by the table `realtime.member`.
 *
 * - A gateway with members holds a lease, which it renews. Its members count while the lease runs.
 *   Gateways remove those whose leases have ended, with their members. One that was only cut off
 *   finds that its lease is new, and joins its members again.
 * - Changes that come while a transaction runs share the next one. It also appends to the topic
 *   `realtime` which channels have changed, for the watchers of all gateways. They ask for the members
 *   then, so it does not matter in which order they learn of changes.
 * - A gateway that stops leaves its members for the time that their clients have to come back.
 */

import { randomUUID } from 'node:crypto';
import type { PresenceChannelName, PresenceStore, PresentMember } from '@posthaste/appsync-server';
import {
  joinMembers,
  leaveMembers,
  listMembers,
  type Member,
  type MemberKey,
  removeDeadNodes,
  renewNode,
} from '@posthaste/appsync-server/postgres';
import { Semaphore } from '@posthaste/contracts';
import type { PostgresLog } from '@posthaste/eventstream';
import type { Database, Transaction } from '@posthaste/postgres';
import { realtimeTopic, toPresenceRecord } from './batch-record.js';

/** Options of `SharedPresence`. */
export interface SharedPresenceOptions {
  /** Needs `realtimeMigrations` and `eventstreamMigrations`. */
  readonly db: Database;
  readonly log: PostgresLog;
  /** Called with errors of renewing leases and removing dead gateways, which is tried again. */
  readonly onError: (error: unknown) => void;
  /** Time after which the members of a gateway that was killed have left, in ms. Default 15,000. */
  readonly leaseMs?: number | undefined;
  /** Time that members have to come back to another gateway when this one stops, in ms. Default 5,000. */
  readonly graceMs?: number | undefined;
}

/** Changes of one transaction. */
const maxChanges = 1_000;
/** Longest time of a statement, in ms. */
const statementTimeoutMs = 5_000;
/** Lists that are read at the same time. */
const maxLists = 4;
/** Renewals of a lease while it runs. */
const renewals = 3;

/** Change of a member that waits for the next transaction. */
interface Change {
  readonly key: MemberKey;
  /** Undefined if the member leaves. */
  member: Member | undefined;
  readonly settled: PromiseWithResolvers<void>;
}

/** Members of channels on all gateways of a database. */
export class SharedPresence implements PresenceStore {
  readonly #options: SharedPresenceOptions;
  readonly #leaseMs: number;
  readonly #node = randomUUID();
  readonly #lists = new Semaphore(maxLists);
  /** Members of this gateway, as the database has them while the lease runs. */
  readonly #members = new Map<string, Member>();
  readonly #changes = new Map<string, Change>();
  #flushing: Promise<void> | undefined;
  #maintaining: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #hasLease = false;
  #isClosed = false;
  #onChange: (channel: PresenceChannelName) => void = () => undefined;

  constructor(options: SharedPresenceOptions) {
    this.#options = options;
    this.#leaseMs = options.leaseMs ?? 15_000;
  }

  start(onChange: (channel: PresenceChannelName) => void): void {
    this.#onChange = onChange;
  }

  /** Is called when some gateway has changed the members of a channel. */
  onChanged(channel: PresenceChannelName): void {
    this.#onChange(channel);
  }

  join(channel: PresenceChannelName, { member, data }: PresentMember): Promise<void> {
    const key = { application: channel.realm, channel: channel.path, member };
    return this.#change(key, { ...key, data });
  }

  leave(channel: PresenceChannelName, member: string): Promise<void> {
    const key = { application: channel.realm, channel: channel.path, member };
    return this.#change(key, undefined);
  }

  async list(
    { realm, path }: PresenceChannelName,
    limit: number,
  ): Promise<readonly PresentMember[]> {
    this.#maintainFromNowOn();
    const channel = { application: realm, channel: path };
    const members = await this.#lists.run(() => listMembers(this.#options.db, channel, limit));
    return members.map(({ member, data }) => ({ member, data }));
  }

  /** Stops. Idempotent. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#timer);
    await this.#maintaining;
    await this.#flushing;
    if (this.#members.size === 0) return;
    const { db, onError, graceMs = 5_000 } = this.#options;
    await renewNode(db, this.#node, { leaseMs: graceMs }).catch(onError);
  }

  #change(key: MemberKey, member: Member | undefined): Promise<void> {
    const text = toText(key);
    const waiting = this.#changes.get(text);
    const change = waiting ?? { key, member, settled: Promise.withResolvers<void>() };
    // The last one counts.
    change.member = member;
    this.#changes.set(text, change);
    this.#maintainFromNowOn();
    this.#flushing ??= this.#flush();
    return change.settled.promise;
  }

  async #flush(): Promise<void> {
    // Changes of this turn share the first transaction.
    await Promise.resolve();
    while (this.#changes.size > 0) {
      const changes = [...this.#changes].slice(0, maxChanges);
      for (const [text] of changes) this.#changes.delete(text);
      try {
        await this.#store(changes.map(([, change]) => change));
        for (const [text, { member, settled }] of changes) {
          if (member) this.#members.set(text, member);
          else this.#members.delete(text);
          settled.resolve();
        }
      } catch (error) {
        for (const [, { settled }] of changes) settled.reject(error);
      }
    }
    // In the turn of the last look: a change that comes later begins anew.
    this.#flushing = undefined;
  }

  async #store(changes: readonly Change[]): Promise<void> {
    const joining = changes.flatMap(({ member }) => member ?? []);
    const leaving = changes.flatMap(({ key, member }) => (member ? [] : key));
    if (joining.length > 0 && !this.#hasLease) await this.#renew();
    await this.#transact(async (tx) => {
      await joinMembers(tx, this.#node, joining);
      await leaveMembers(tx, this.#node, leaving);
      return changes.map(({ key }) => key);
    });
  }

  /** Runs a transaction, and tells all gateways of the members that it returns. */
  async #transact(run: (tx: Transaction) => Promise<readonly MemberKey[]>): Promise<void> {
    const { db, log } = this.#options;
    const hasChanged = await db.transaction(
      async (tx) => {
        const names = new Map(
          (await run(tx)).map(({ application, channel }) => [
            `${application}\n${channel}`,
            { realm: application, path: channel },
          ]),
        );
        const records = [...names.values()].map(toPresenceRecord);
        // Last: readers wait for the end of the transaction from then on.
        if (records.length > 0)
          await log.append(tx, records, { keyOrder: 'append', notify: false });
        return records.length > 0;
      },
      { statementTimeoutMs },
    );
    if (hasChanged) log.hint(realtimeTopic);
  }

  /** Leases are renewed and ended as soon as somebody wants to know of members. */
  #maintainFromNowOn(): void {
    if (this.#timer !== undefined || this.#isClosed) return;
    this.#timer = setInterval(() => {
      this.#maintaining ??= this.#maintain()
        .catch(this.#options.onError)
        .finally(() => {
          this.#maintaining = undefined;
        });
    }, this.#leaseMs / renewals).unref();
  }

  async #maintain(): Promise<void> {
    if (this.#hasLease && (await this.#renew())) await this.#joinAgain();
    await this.#transact(removeDeadNodes);
  }

  async #joinAgain(): Promise<void> {
    // Not while a transaction runs, which may let some of them leave.
    while (this.#flushing) await this.#flushing;
    const joining = [...this.#members]
      .filter(([text]) => !this.#changes.has(text))
      .map(([, member]) => this.#change(member, member));
    await Promise.all(joining);
  }

  /** Returns true if there was no lease. */
  async #renew(): Promise<boolean> {
    const isNew = await renewNode(this.#options.db, this.#node, { leaseMs: this.#leaseMs });
    this.#hasLease = true;
    return isNew;
  }
}

function toText({ application, channel, member }: MemberKey): string {
  return `${application}\n${channel}\n${member}`;
}
