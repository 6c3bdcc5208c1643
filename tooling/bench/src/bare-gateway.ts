import { fileURLToPath } from 'node:url';
import type { Gateway } from './contender.js';
import { startProcess } from './service-process.js';

const script = fileURLToPath(new URL('bare-gateway-process.js', import.meta.url));

/** Starts the reference for intake: Fastify that parses, validates and responds, and stores nothing. */
export async function startBareGateway(): Promise<Gateway> {
  const { ready, ...process } = await startProcess<{ callbackUrl: string }>(script, []);
  return { ...process, callbackUrl: ready.callbackUrl };
}
