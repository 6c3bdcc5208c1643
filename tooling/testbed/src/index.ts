export { freePort } from './free-port.js';
export {
  findEmbeddedBinaries,
  findMachineBinaries,
  findPostgresBinaries,
  type PostgresBinaries,
} from './postgres-binaries.js';
export {
  type PostgresOptions,
  type PostgresServer,
  type PostgresStopMode,
  startPostgres,
} from './postgres-server.js';
export { createTestDatabase, type TestDatabase } from './test-database.js';
