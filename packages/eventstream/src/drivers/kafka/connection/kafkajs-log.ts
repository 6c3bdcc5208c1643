/**
 * The levels of kafkajs's log lines. It writes every response with an error code at level error, but
 * most of them are how the protocol works: a rebalance is announced by one, and so is the move of a
 * partition to another leader. It goes on after them by itself, or the driver does, and reports that.
 */

import { logLevel } from 'kafkajs';
import type { KafkaLogger, KafkaLogMode, KafkaSettings } from './kafka-options.js';
import { loadKafkajsInternals } from './kafkajs-internals.js';

type Level = keyof KafkaLogger;

/** From the most severe level on. */
const levels: readonly KafkaLogMode[] = ['off', 'error', 'warn', 'info', 'debug'];

/** Line of kafkajs. */
interface LogEntry {
  readonly level: logLevel;
  readonly log: { readonly message: string; readonly error?: unknown };
}

/** Levels of error codes that are part of the protocol's ordinary course. */
const levelByCode: Readonly<Record<number, Level>> = {
  1: 'debug', // OFFSET_OUT_OF_RANGE: the driver reports the records that were lost
  3: 'warn', // UNKNOWN_TOPIC_OR_PARTITION: a topic that is being created
  5: 'warn', // LEADER_NOT_AVAILABLE
  6: 'warn', // NOT_LEADER_OR_FOLLOWER
  14: 'info', // COORDINATOR_LOAD_IN_PROGRESS
  15: 'info', // COORDINATOR_NOT_AVAILABLE: so after the first use of a cluster's groups
  16: 'info', // NOT_COORDINATOR
  22: 'warn', // ILLEGAL_GENERATION: a rebalance went on without the member
  25: 'warn', // UNKNOWN_MEMBER_ID: the same, or a restart under the former id
  27: 'info', // REBALANCE_IN_PROGRESS
  79: 'info', // MEMBER_ID_REQUIRED: the first half of a join
};

/** Line about an offset that retention has deleted, or that a topic never had: reported by the driver. */
const outOfRange = 'Offset out of range, resetting to default offset';

/**
 * Lines about a broker that cannot be reached: several for each try. The driver reports it with the
 * append that failed, or as an interruption of the subscription.
 */
const connectFailure = /^(?:Connection error: |Connection timeout$|Failed to connect to )/;

/** Creates a function that writes lines of one client of kafkajs. */
export function createLogWriter(
  { logger, logMode }: Pick<KafkaSettings, 'logger' | 'logMode'>,
  isEnding: () => boolean,
): (entry: LogEntry) => void {
  const { createErrorFromCode } = loadKafkajsInternals();
  // kafkajs logs an error's message, and not its code.
  const levelByMessage = new Map<unknown, Level>(
    Object.entries(levelByCode).map(([code, level]) => [
      createErrorFromCode(Number(code)).message,
      level,
    ]),
  );
  const levelOf = ({ level, log: { message, error } }: LogEntry): Level => {
    if (level === logLevel.WARN) return 'warn';
    if (level === logLevel.INFO) return 'info';
    if (level !== logLevel.ERROR) return 'debug';
    // The end of a client interrupts its requests.
    if (isEnding() || connectFailure.test(message)) return 'debug';
    return message === outOfRange ? 'warn' : (levelByMessage.get(error) ?? 'error');
  };
  return (entry) => {
    const level = levelOf(entry);
    if (levels.indexOf(level) > levels.indexOf(logMode)) return;
    const { message, ...details } = entry.log;
    logger?.[level](details, message);
  };
}
