import { runService } from '@posthaste/service';
import type { Command } from 'commander';

/**
 * `posthaste start`, `gateway` and `worker`: what runs until it is told to stop. Each is imported
 * when it is asked for, as importing all of them takes longer than most other commands.
 */
export function addServiceCommands(program: Command): void {
  program
    .command('start')
    .description('run everything in this process, on the embedded database or DATABASE_URL')
    .action(async () => {
      const { standaloneService } = await import('../platform/standalone-service.js');
      await runService(standaloneService);
    });
  program
    .command('gateway')
    .description('run a gateway, the way in, on DATABASE_URL')
    .action(async () => {
      const { gatewayService } = await import('@posthaste/gateway');
      await runService(gatewayService);
    });
  program
    .command('worker')
    .description('run a worker, the way out, on DATABASE_URL')
    .action(async () => {
      const { workerService } = await import('@posthaste/worker');
      await runService(workerService);
    });
}
