import { PlatformError } from '@posthaste/contracts';
import { createLogger } from '@posthaste/service';
import { expect, it } from 'vitest';
import { RelayFailureLog } from './relay-failure-log.js';

/** Returns a log with a clock of its own, and the lines that it has written. */
function openLog() {
  const lines: { level: string; msg: string }[] = [];
  const destination = { write: (line: string) => void lines.push(JSON.parse(line)) };
  const logger = createLogger({ level: 'info', service: 'worker', destination });
  const clock = { nowMs: 0 };
  return { log: new RelayFailureLog(logger, () => clock.nowMs), clock, lines };
}

const away = new PlatformError('STREAM_UNAVAILABLE', 'connect ECONNREFUSED');
const refused = new PlatformError('STREAM_UNAUTHORIZED', 'not authorized to write to it');

it('an outage of Kafka has a line when it begins, one a minute and one when it ends', () => {
  const { log, clock, lines } = openLog();
  for (clock.nowMs = 0; clock.nowMs < 150_000; clock.nowMs += 100) {
    for (const topic of ['a', 'b', 'c']) log.failed(topic, away);
  }
  for (const topic of ['a', 'b', 'c']) log.published(topic);
  log.published('a');
  expect(lines.map(({ level, msg }) => `${level}: ${msg}`)).toEqual([
    'error: the relay cannot publish to Kafka; it tries again until it can: connect ECONNREFUSED',
    'error: the relay cannot publish to Kafka for 60 s now; it tries again until it can: connect ECONNREFUSED',
    'error: the relay cannot publish to Kafka for 120 s now; it tries again until it can: connect ECONNREFUSED',
    'info: the relay reaches Kafka again, after 150 s',
  ]);
  expect(JSON.stringify(lines)).not.toContain('stack');
});

it('a topic that Kafka refuses has lines of its own, also during an outage', () => {
  const { log, lines } = openLog();
  log.failed('a', away);
  log.failed('b', refused);
  log.failed('b', refused);
  log.published('a');
  log.published('b');
  expect(lines.map(({ msg }) => msg)).toEqual([
    'the relay cannot publish to Kafka; it tries again until it can: connect ECONNREFUSED',
    'the relay cannot publish a topic to Kafka; it tries again until it can',
    'the relay reaches Kafka again, after 0 s',
    'the relay publishes a topic to Kafka again',
  ]);
});

it('an outage has ended for a topic that Kafka answers with a refusal', () => {
  const { log, lines } = openLog();
  log.failed('a', away);
  log.failed('a', refused);
  log.failed('b', away);
  log.published('b');
  expect(lines.map(({ msg }) => msg)).toEqual([
    'the relay cannot publish to Kafka; it tries again until it can: connect ECONNREFUSED',
    'the relay reaches Kafka again, after 0 s',
    'the relay cannot publish a topic to Kafka; it tries again until it can',
    'the relay cannot publish to Kafka; it tries again until it can: connect ECONNREFUSED',
    'the relay reaches Kafka again, after 0 s',
  ]);
});
