import { accessMigrations } from '@posthaste/access';
import { realtimeMigrations } from '@posthaste/appsync-server/postgres';
import { callbacksMigrations, createSecretBox, markMasterKey } from '@posthaste/callbacks';
import { eventstreamMigrations } from '@posthaste/eventstream';
import { eventLogMigrations } from '@posthaste/eventstream/event-log';
import { ambientDatabase, openDatabase, refuseUnsuitable } from '@posthaste/postgres';
import { type Runnable, type RunnableConfig, watchOutages } from '@posthaste/service';
import { Registry } from 'prom-client';
import { createCallbackRoutes } from './callback-routes.js';
import { type GatewayProcessConfig, readGatewayConfig } from './config.js';
import { createErasureRoutes } from './erasure-routes.js';
import { startEventOutbox } from './event-outbox.js';
import { createEventRoutes } from './event-routes.js';
import { startGateway } from './gateway.js';
import { createPeopleRoutes } from './people-routes.js';
import { databaseCheck, migrationsCheck } from './readiness.js';
import { stopLimitMs } from './realtime/realtime.js';

/**
 * Gateway as a process of its own, on the Postgres of `DATABASE_URL`. It starts even
 * when the database cannot be reached or lacks migrations; `/health/ready` names what is missing.
 */
export const gatewayService: Runnable<GatewayProcessConfig & RunnableConfig> = {
  name: 'gateway',
  read(environment) {
    const config = readGatewayConfig(environment);
    const { logLevel, stopTimeoutMs } = config.platform;
    return {
      ...config,
      logLevel,
      stopTimeoutMs: Math.max(stopTimeoutMs, stopLimitMs(config.realtime)),
    };
  },
  async start({ gateway: config, callbackEvents, platform, ...domains }, logger) {
    const db = await openDatabase({
      url: platform.databaseUrl,
      maxConnections: platform.databaseConnections,
      synchronousCommit: platform.synchronousCommit,
      applicationName: 'posthaste-gateway',
      logger,
    });
    await refuseUnsuitable(db);
    const migrations = migrationsCheck(db, [
      accessMigrations,
      callbacksMigrations,
      eventstreamMigrations,
      eventLogMigrations,
      realtimeMigrations,
    ]);
    const box = createSecretBox(domains.callbacks.secretKey);
    let isKeyMarked = false;
    const checkMigrations = async (): Promise<void> => {
      await migrations.check();
      if (isKeyMarked) return;
      isKeyMarked = true;
      markMasterKey(db, box).catch((err: unknown) => {
        isKeyMarked = false;
        logger.warn({ err }, 'workers cannot check their secret key: it could not be stored');
      });
    };
    const database = databaseCheck(db);
    const outages = watchOutages(logger, {
      name: 'gateway',
      async probe() {
        await database.check();
        await checkMigrations();
      },
    });
    const outbox = startEventOutbox({ db, callbackEvents, logger });
    const changes = ambientDatabase(db);
    const callbacks = createCallbackRoutes({
      db,
      changes,
      config: domains.callbacks,
      events: outbox.events,
    });
    const registry = new Registry();
    const events = createEventRoutes({
      db,
      changes,
      logger,
      registry,
      config: domains.events,
    });
    const people = createPeopleRoutes({ db: changes, config: domains.people, logger });
    const gateway = await startGateway({
      config,
      db,
      changes,
      auditEvents: outbox.auditEvents,
      auditTargets: {
        ...callbacks.auditTargets,
        ...events.auditTargets,
        ...people.auditTargets,
      },
      logger,
      registry,
      routes: [
        ...callbacks.routes,
        ...events.routes,
        ...people.routes,
        ...createErasureRoutes(changes),
      ],
      authenticators: people.authenticators,
      cookies: people.cookies,
      nameSources: [callbacks.nameSource],
      realtime: domains.realtime,
      checks: [{ ...migrations, check: checkMigrations }],
    });
    logger.info({ url: gateway.url, access: config.access }, 'the gateway listens');
    outages.check();
    return {
      async close() {
        await gateway.close(platform.stopTimeoutMs);
        outages.stop();
        await Promise.all([callbacks.close(), events.close(), people.close()]);
        await outbox.close();
        await db.close();
      },
    };
  },
};
