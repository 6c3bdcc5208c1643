export { findChromium } from './browser.js';
export { freePort } from './free-port.js';
export { type KafkaBroker, type KafkaOptions, startKafka } from './kafka/broker.js';
export { type KafkaCluster, startKafkaCluster } from './kafka/cluster.js';
export { quickRecovery } from './kafka/properties.js';
export { type SharedKafka, sharedKafka } from './kafka/shared-kafka.js';
export { createOidcKey, type OidcKey, signIdToken, unsignedIdToken } from './oidc/oidc-keys.js';
export {
  type OidcClient,
  type OidcFault,
  type OidcProvider,
  startOidcProvider,
} from './oidc/oidc-provider.js';
export {
  /** @public */
  findPostgresBinaries,
  type PostgresBinaries,
} from './postgres/binaries.js';
export { type PgBouncer, type PgBouncerOptions, startPgBouncer } from './postgres/pgbouncer.js';
export {
  type PostgresOptions,
  type PostgresServer,
  type PostgresStopMode,
  startPostgres,
} from './postgres/server.js';
export { createTestDatabase, type TestDatabase } from './postgres/test-database.js';
export {
  type ProcessExit,
  type ProcessOptions,
  type RunningProcess,
  startProcess,
} from './process/start-process.js';
export {
  type Arrival,
  type ArrivalLedger,
  type ArrivalSummary,
  /** @public */
  createArrivalLedger,
} from './receiver/arrival-ledger.js';
export type { MisbehaviourRates } from './receiver/misbehaviour.js';
export { type Receiver, type ReceiverOptions, startReceiver } from './receiver/receiver.js';
export {
  type Action,
  type Behaviour,
  type Ending,
  /** @public */
  failThenRecover,
  type ReceiverScript,
  type Respond,
  /** @public */
  randomMix,
  type Step,
  type WeightedStep,
} from './receiver/receiver-script.js';
export type { ReceivedRequest } from './receiver/request-log.js';
export {
  type ReceiverProcess,
  type ReceiverProcessOptions,
  startReceiverProcess,
} from './receiver/start-receiver-process.js';
export { seededRandom } from './seeded-random.js';
export {
  type ReceivedMail,
  type SmtpBehaviour,
  type SmtpSink,
  type SmtpSinkOptions,
  /** @public */
  startSmtpSink,
} from './smtp-sink.js';
export { startTcpServer, type TcpServer } from './tcp-server.js';
export { readTestCertificate, type TestCertificate } from './test-certificate.js';
