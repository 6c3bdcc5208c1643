import { runService } from '@posthaste/service';
import { workerService } from './worker-service.js';

await runService(workerService);
