/**
 * Those who asked for the same thing: each record goes to one of them, in turn.
 */
export class SubscriberGroup<Member> {
  /** The event name that they asked for; empty: all. */
  readonly eventName: string;
  readonly #members: Member[] = [];
  #turn = 0;

  constructor(eventName: string) {
    this.eventName = eventName;
  }

  get members(): readonly Member[] {
    return this.#members;
  }

  /** The one whose turn it is; undefined when all have left. */
  next(): Member | undefined {
    const members = this.#members;
    if (members.length <= 1) return members[0];
    this.#turn = (this.#turn + 1) % members.length;
    return members[this.#turn];
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
 * Who gets which events. A party for each event name and one for all events: an event goes to each
 * party that asked for it, so that none acknowledges what another one must still see.
 */
export class DispatchTable<Member> {
  readonly #parties = new Map<string, SubscriberGroup<Member>>();
  /** Answers for names that somebody asked for. */
  readonly #matches = new Map<string, readonly SubscriberGroup<Member>[]>();
  /** Answer for every other name. */
  #others: readonly SubscriberGroup<Member>[] = [];

  /** @param eventName empty: all events */
  add(eventName: string, member: Member): void {
    const party = this.#parties.get(eventName) ?? new SubscriberGroup<Member>(eventName);
    party.add(member);
    this.#parties.set(eventName, party);
    this.#prepare();
  }

  remove(eventName: string, member: Member): void {
    const party = this.#parties.get(eventName);
    if (!party) return;
    party.remove(member);
    if (party.members.length === 0) this.#parties.delete(eventName);
    this.#prepare();
  }

  /** The parties that asked for events of this name. */
  match(eventName: string): readonly SubscriberGroup<Member>[] {
    return this.#matches.get(eventName) ?? this.#others;
  }

  /** The party that asked for exactly this. */
  find(eventName: string): SubscriberGroup<Member> | undefined {
    return this.#parties.get(eventName);
  }

  get groups(): readonly SubscriberGroup<Member>[] {
    return [...this.#parties.values()];
  }

  /** Whether anybody asked for events of one name. */
  get asksForNames(): boolean {
    return this.#matches.size > 0;
  }

  get size(): number {
    return this.#parties.size;
  }

  /** Answers are made when somebody comes or goes, not per record. */
  #prepare(): void {
    const all = this.#parties.get('');
    this.#others = all ? [all] : [];
    this.#matches.clear();
    for (const [name, party] of this.#parties) {
      if (name !== '') this.#matches.set(name, [party, ...this.#others]);
    }
  }
}
