import { runService } from '@posthaste/service';
import type { Command } from 'commander';

const stopHelp = 'SIGTERM or Ctrl-C stops it within POSTHASTE_STOP_TIMEOUT (default 20s).';

const postgresHelp = `
Needs DATABASE_URL, POSTHASTE_SECRET_KEY, and the tables of "posthaste migrate".
${stopHelp}`;

/**
 * Adds `posthaste start`, `gateway` and `worker`, which run until a signal stops them. Each service is
 * imported only when it is started: importing all of them takes longer than most other commands.
 */
export function addServiceCommands(program: Command): void {
  program
    .command('start')
    .description('run gateway and worker in this process, on the embedded database or DATABASE_URL')
    .addHelpText(
      'after',
      `\nListens on POSTHASTE_HOST and POSTHASTE_PORT (default http://127.0.0.1:8080).\n${stopHelp}`,
    )
    .action(async () => {
      const { standaloneService } = await import('../platform/standalone-service.js');
      await runService(standaloneService);
    });
  program
    .command('gateway')
    .description('run a gateway, which serves the API, on DATABASE_URL')
    .addHelpText('after', postgresHelp)
    .action(async () => {
      const { gatewayService } = await import('@posthaste/gateway');
      await runService(gatewayService);
    });
  program
    .command('worker')
    .description('run a worker, which delivers callbacks and events, on DATABASE_URL')
    .addHelpText('after', postgresHelp)
    .action(async () => {
      const { workerService } = await import('@posthaste/worker');
      await runService(workerService);
    });
}
