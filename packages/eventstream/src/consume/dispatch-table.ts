/**
 * The subscribers of one consumer group that asked for the same event name. They share the events:
 * each record goes to one of them, in turn.
 */
export class SubscriberGroup<Member> {
  /** Event name that they asked for. Empty: all events. */
  readonly eventName: string;
  readonly #members: Member[] = [];
  #last = 0;

  constructor(eventName: string) {
    this.eventName = eventName;
  }

  get members(): readonly Member[] {
    return this.#members;
  }

  /** Returns the member for the next record. Undefined: all have left. */
  next(): Member | undefined {
    const members = this.#members;
    if (members.length <= 1) return members[0];
    this.#last = (this.#last + 1) % members.length;
    return members[this.#last];
  }

  add(member: Member): void {
    this.#members.push(member);
  }

  remove(member: Member): void {
    const index = this.#members.indexOf(member);
    if (index >= 0) this.#members.splice(index, 1);
  }
}

/**
 * The subscriber groups of a consumer by event name: one for each name, and one for all events. An
 * event goes to every group that asked for it, so that no group acknowledges what another one must
 * still handle.
 */
export class DispatchTable<Member> {
  readonly #groups = new Map<string, SubscriberGroup<Member>>();
  /** Matching groups for every name that was asked for. */
  readonly #matches = new Map<string, readonly SubscriberGroup<Member>[]>();
  /** Matching groups for every other name. */
  #others: readonly SubscriberGroup<Member>[] = [];

  /** @param eventName empty: all events */
  add(eventName: string, member: Member): void {
    const group = this.#groups.get(eventName) ?? new SubscriberGroup<Member>(eventName);
    group.add(member);
    this.#groups.set(eventName, group);
    this.#prepare();
  }

  remove(eventName: string, member: Member): void {
    const group = this.#groups.get(eventName);
    if (!group) return;
    group.remove(member);
    if (group.members.length === 0) this.#groups.delete(eventName);
    this.#prepare();
  }

  /** Returns the groups that get events of this name. */
  match(eventName: string): readonly SubscriberGroup<Member>[] {
    return this.#matches.get(eventName) ?? this.#others;
  }

  /** Finds the group that asked for exactly this name. */
  find(eventName: string): SubscriberGroup<Member> | undefined {
    return this.#groups.get(eventName);
  }

  get groups(): readonly SubscriberGroup<Member>[] {
    return [...this.#groups.values()];
  }

  /** True if a group asked for events of one name. */
  get asksForNames(): boolean {
    return this.#matches.size > 0;
  }

  get size(): number {
    return this.#groups.size;
  }

  /** Prepares the answers of `match` when a member comes or goes, to save that work per record. */
  #prepare(): void {
    const all = this.#groups.get('');
    this.#others = all ? [all] : [];
    this.#matches.clear();
    for (const [name, group] of this.#groups) {
      if (name !== '') this.#matches.set(name, [group, ...this.#others]);
    }
  }
}
