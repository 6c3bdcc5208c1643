/** Program: the realtime server with one key, and limits that no measurement reaches. */

import { createServer } from 'node:http';
import { createApiKeyAuthorizer, createRealtimeServer } from '@posthaste/appsync-server';
import { reportPort } from './report-port.js';

const unlimited = Number.POSITIVE_INFINITY;
const realtime = createRealtimeServer({
  authorizers: [createApiKeyAuthorizer(['bench'])],
  namespaces: [{ name: 'default', durable: false }],
  limits: {
    connectsPerSecond: unlimited,
    connectionsPerRealm: unlimited,
    subscriptionsPerRealm: unlimited,
    faultsPerSecond: unlimited,
    framesPerSecond: unlimited,
    readingMsPerSecond: unlimited,
    publishesPerSecond: unlimited,
    eventsPerSecond: unlimited,
    messagesPerSecond: unlimited,
  },
});
const server = createServer();
realtime.attach(server);
reportPort(server);
