import { newId } from '@posthaste/contracts';
import type { RouteCases } from './world.js';

export const accessCases: RouteCases = {
  'GET /metrics': { make: () => ({ url: '/metrics' }) },
  'POST /v1/keys': {
    make: (world, application) => ({
      url: '/v1/keys',
      body: { name: world.name(application), scopes: ['admin'], applications: [application] },
    }),
    status: 201,
  },
  'GET /v1/keys': {
    make: async (world, application) => {
      await world.key(application);
      await world.key(application);
      return { url: '/v1/keys' };
    },
  },
  'DELETE /v1/keys/:id': {
    make: async (world, application) => {
      const id = await world.key(application);
      return { url: `/v1/keys/${id}`, id };
    },
  },
  'POST /v1/sessions': { make: () => ({ url: '/v1/sessions' }), status: 201 },
  'GET /v1/sessions/current': { make: () => ({ url: '/v1/sessions/current' }) },
  // The caller of these tests has no session.
  'DELETE /v1/sessions/current': { make: () => ({ url: '/v1/sessions/current' }), status: 404 },
  'GET /v1/sessions': { make: () => ({ url: '/v1/sessions' }) },
  'DELETE /v1/sessions/:id': {
    make: async (world, application) => ({
      url: `/v1/sessions/${await world.create(application, '/v1/sessions')}`,
    }),
  },
  'POST /v1/tokens': {
    make: (world, application) => ({
      url: '/v1/tokens',
      body: { name: world.name(application), scopes: ['queues:read'], applications: [application] },
    }),
    status: 201,
  },
  'POST /v1/realtime/tokens': {
    make: (_, application) => ({
      url: '/v1/realtime/tokens',
      body: { application, channels: ['/default/a'], rights: ['subscribe'] },
    }),
    scopes: ['realtime:subscribe'],
    status: 201,
  },
  // Tokens are not stored: whoever revokes one of somebody else changes nothing.
  'DELETE /v1/tokens/:id': { make: () => ({ url: `/v1/tokens/${newId()}` }), status: 204 },
  'POST /v1/applications': {
    make: (world, application) => ({
      url: '/v1/applications',
      body: { application: world.name(application) },
    }),
    status: 201,
  },
  'GET /v1/applications': { make: () => ({ url: '/v1/applications' }) },
  'PATCH /v1/applications': {
    make: (_, application) => ({
      url: `/v1/applications?application=${application}`,
      body: { limits: { backlog: 1_000_000 } },
    }),
  },
  'GET /v1/audit': {
    make: async (world, application) => {
      await world.endpoint(application);
      await world.endpoint(application);
      return { url: '/v1/audit' };
    },
  },
  'GET /v1/applications/details': {
    make: (_, application) => ({ url: `/v1/applications/details?application=${application}` }),
  },
  'DELETE /v1/applications': {
    make: async (world) => {
      // One of its own: a case must not remove the application of all others.
      const application = world.name('removed');
      await world.call('POST', '/v1/applications', { application });
      return { url: `/v1/applications?application=${encodeURIComponent(application)}` };
    },
    status: 202,
  },
  'POST /v1/erasures': {
    make: (_, application) => ({ url: '/v1/erasures', body: { application, key: 'nobody' } }),
    status: 202,
    shows: false,
  },
  'GET /v1/erasures': {
    make: async (world, application) => {
      await world.create(application, '/v1/erasures', { application, key: 'nobody' });
      await world.create(application, '/v1/erasures', { application, key: 'nobody' });
      return { url: '/v1/erasures' };
    },
  },
  'GET /v1/erasures/:id': {
    make: async (world, application) => {
      const id = await world.create(application, '/v1/erasures', { application, key: 'nobody' });
      return { url: `/v1/erasures/${id}`, id };
    },
  },
};
