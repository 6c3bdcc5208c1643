import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** Server on which every connect hangs. */
export interface UnacceptingServer {
  readonly port: number;
  /** Accepts connections from now on, and responds to requests with the body `late`. */
  accept(): void;
  close(): Promise<void>;
}

/** Listens with the shortest backlog. */
const program = `
  const server = require('node:http').createServer((_, response) => response.end('late'));
  server.listen({ port: 0, host: process.argv[1], backlog: 1 }, () => {
    require('node:fs').writeSync(1, String(server.address().port));
  });
`;

/**
 * Starts a server on which a connect hangs: its process is stopped and its backlog is full, so the
 * kernel drops every SYN.
 */
export async function startUnacceptingServer(host = '127.0.0.1'): Promise<UnacceptingServer> {
  const stdio = ['ignore', 'pipe', 'inherit'] as const;
  const child = spawn(process.execPath, ['-e', program, host], { stdio: [...stdio] });
  const [output] = await once(child.stdout, 'data');
  child.kill('SIGSTOP');
  const port = Number(output);
  const fillers: Socket[] = [];
  while (await fill(host, port, fillers));
  return {
    port,
    accept: () => {
      child.kill('SIGCONT');
    },
    close: async () => {
      for (const socket of fillers) socket.destroy();
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    },
  };
}

/** Takes one place in the backlog. Resolves to false if none was left. */
async function fill(host: string, port: number, fillers: Socket[]): Promise<boolean> {
  const socket = connect(port, host);
  socket.on('error', () => undefined);
  fillers.push(socket);
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), 300);
    socket.once('connect', () => {
      clearTimeout(timer);
      resolve(true);
    });
  });
}
