import type { RouteCases } from './world.js';

const path = '/v1/namespaces';

export const realtimeCases: RouteCases = {
  [`POST ${path}`]: {
    make: (world, application) => ({
      url: path,
      body: { application, name: world.name(application) },
    }),
    status: 201,
  },
  [`GET ${path}`]: {
    make: async (world, application) => {
      await world.namespace(application);
      await world.namespace(application);
      return { url: path };
    },
  },
  [`GET ${path}/:name`]: {
    make: async (world, application) => ({
      url: `${path}/${await world.namespace(application)}?application=${application}`,
    }),
  },
  [`PUT ${path}/:name`]: {
    make: async (world, application) => ({
      url: `${path}/${await world.namespace(application)}?application=${application}`,
      body: { history: 5 },
    }),
  },
  [`DELETE ${path}/:name`]: {
    make: async (world, application) => ({
      url: `${path}/${await world.namespace(application)}?application=${application}`,
    }),
    status: 204,
  },
  'GET /v1/realtime/channels': {
    make: (_, application) => ({ url: `/v1/realtime/channels?application=${application}` }),
  },
};
