import { describe, expect, it } from 'vitest';
import { helpText, parseCommand, UsageError } from './arguments.js';
import type { Suite } from './suite.js';

const suite: Suite = {
  name: 'speed',
  description: 'How fast.',
  sections: { rate: 'deliveries', memory: 'bytes' },
  peers: ['bullmq', 'pg-boss'],
  run: () => Promise.resolve([]),
};
const parse = (line: string) => parseCommand(line.split(' '), [suite]);

describe('parseCommand', () => {
  it('runs all rows of a suite by default', () => {
    expect(parse('speed')).toMatchObject({
      kind: 'run',
      suite,
      options: { quick: false, only: [], peers: undefined },
      jsonFile: expect.stringMatching(/bench\/results\/speed\.json$/),
    });
  });

  it('accepts rows, peers and a file', () => {
    const line = 'speed --quick --only rate,memory --peers bullmq,pg-boss --json /tmp/out.json';
    expect(parse(line)).toMatchObject({
      options: { quick: true, only: ['rate', 'memory'], peers: ['bullmq', 'pg-boss'] },
      jsonFile: '/tmp/out.json',
    });
  });

  it('compares with no peer if the list is empty', () => {
    expect(parse('speed --peers=')).toMatchObject({ options: { peers: [] } });
  });

  it.each([
    ['slowness', 'there is no suite "slowness"; choose one of speed'],
    ['speed --only rate,color', 'there is no row color; choose from rate, memory'],
    ['speed --peers sidekiq', 'there is no peer sidekiq; choose from bullmq, pg-boss'],
    ['speed rate', 'only one suite can run at a time'],
    ['speed --fast', '--fast'],
  ])('refuses "%s"', (line, message) => {
    expect(() => parse(line)).toThrow(UsageError);
    expect(() => parse(line)).toThrow(message);
  });

  it('shows the help without a suite, and on request', () => {
    expect(parseCommand([], [suite])).toEqual({ kind: 'help' });
    expect(parse('speed --help')).toEqual({ kind: 'help' });
  });
});

describe('helpText', () => {
  it('names every suite and row', () => {
    expect(helpText([suite])).toMatch(/speed: How fast\.\n\s+rate +deliveries\n\s+memory +bytes/);
  });
});
