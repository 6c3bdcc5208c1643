import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DispatchTable } from './dispatch-table.js';

function names(table: DispatchTable<string>, eventName: string): string[] {
  return table.match(eventName).map((group) => group.eventName);
}

describe('DispatchTable', () => {
  it('matches the group of the event’s name and the group of all events', () => {
    const table = new DispatchTable<string>();
    table.add('login', 'a');
    table.add('logout', 'b');
    table.add('', 'c');
    expect(names(table, 'login')).toEqual(['login', '']);
    expect(names(table, 'logout')).toEqual(['logout', '']);
    expect(names(table, 'other')).toEqual(['']);
    expect(names(table, '')).toEqual(['']);
  });

  it('matches no group for an event that no group asked for', () => {
    const table = new DispatchTable<string>();
    table.add('login', 'a');
    expect(table.match('other')).toEqual([]);
    expect(table.match('')).toEqual([]);
  });

  it('hands events to the members of a group in turn', () => {
    const table = new DispatchTable<string>();
    table.add('login', 'a');
    table.add('login', 'b');
    const [group] = table.match('login');
    const next = [group?.next(), group?.next(), group?.next(), group?.next()];
    expect(next.filter((member) => member === 'a')).toHaveLength(2);
    expect(next.filter((member) => member === 'b')).toHaveLength(2);
  });

  it('removes a group when its last member has left', () => {
    const table = new DispatchTable<string>();
    table.add('login', 'a');
    table.add('login', 'b');
    table.remove('login', 'a');
    expect(table.find('login')?.next()).toBe('b');
    table.remove('login', 'b');
    table.remove('login', 'b');
    expect(table.match('login')).toEqual([]);
    expect(table.size).toBe(0);
  });

  it('finds the same as a search through all registrations', () => {
    const name = fc.constantFrom('', 'a', 'b', 'c', '__proto__', 'constructor');
    const step = fc.record({ name, member: fc.nat({ max: 2 }), join: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), name, (steps, asked) => {
        const table = new DispatchTable<number>();
        const present: [string, number][] = [];
        for (const { name: eventName, member, join } of steps) {
          if (join) {
            table.add(eventName, member);
            present.push([eventName, member]);
          } else {
            table.remove(eventName, member);
            const index = present.findIndex(([n, m]) => n === eventName && m === member);
            if (index >= 0) present.splice(index, 1);
          }
        }
        const wanted = present.filter(([eventName]) => eventName === '' || eventName === asked);
        const found = table
          .match(asked)
          .flatMap((group) => group.members.map((member) => [group.eventName, member]));
        expect(found.toSorted()).toEqual(wanted.toSorted());
      }),
    );
  });
});
