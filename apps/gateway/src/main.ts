import { runService } from '@posthaste/service';
import { gatewayService } from './gateway-service.js';

await runService(gatewayService);
