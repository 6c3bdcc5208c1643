import { logLevel } from 'kafkajs';
import { beforeEach, expect, it, vi } from 'vitest';
import { loadKafkajsInternals } from './kafkajs-internals.js';
import { createLogWriter } from './kafkajs-log.js';

const logger = { error: vi.fn(), warn: vi.fn(), info: vi.fn(), debug: vi.fn() };
const { createErrorFromCode } = loadKafkajsInternals();
const messageOf = (code: number): string => createErrorFromCode(code).message;

beforeEach(() => {
  for (const write of Object.values(logger)) write.mockReset();
});

function write(error: string, isEnding = false, logMode: 'debug' | 'error' = 'debug'): void {
  const entry = { level: logLevel.ERROR, log: { message: 'Response Heartbeat', error } };
  createLogWriter({ logger, logMode }, () => isEnding)(entry);
}

it.each([
  ['a rebalance', 27, 'info'],
  ['a coordinator that starts', 14, 'info'],
  ['a member that the group has forgotten', 25, 'warn'],
  ['a partition without a leader', 5, 'warn'],
  ['an offset that retention has deleted, which the driver reports', 1, 'debug'],
  ['a refused group', 30, 'error'],
] as const)('writes the response about %s (%i) at level %s', (_, code, level) => {
  write(messageOf(code));
  expect(logger[level]).toHaveBeenCalledExactlyOnceWith(
    { error: messageOf(code) },
    'Response Heartbeat',
  );
});

it('writes failures of a client that is being closed at level debug', () => {
  write('Connection error: the client was closed', true);
  expect(logger.debug).toHaveBeenCalledOnce();
  expect(logger.error).not.toHaveBeenCalled();
});

it.each([
  'Connection error: connect ECONNREFUSED 127.0.0.1:9092',
  'Connection timeout',
  'Failed to connect to seed broker, trying another broker from the list: Connection timeout',
  'Failed to connect to broker, reconnecting',
])('writes a connect that failed at level debug, because the driver reports it: %s', (message) => {
  const writer = createLogWriter({ logger, logMode: 'debug' }, () => false);
  writer({ level: logLevel.ERROR, log: { message } });
  expect(logger.debug).toHaveBeenCalledExactlyOnceWith({}, message);
  expect(logger.error).not.toHaveBeenCalled();
});

it('writes nothing below the level of the client', () => {
  write(messageOf(27), false, 'error');
  expect(logger.info).not.toHaveBeenCalled();
});

it('keeps the levels of other lines', () => {
  const writer = createLogWriter({ logger, logMode: 'debug' }, () => false);
  for (const level of [logLevel.WARN, logLevel.INFO, logLevel.DEBUG]) {
    writer({ level, log: { message: 'line' } });
  }
  for (const level of ['warn', 'info', 'debug'] as const) {
    expect(logger[level]).toHaveBeenCalledExactlyOnceWith({}, 'line');
  }
});
