import { expect, it } from 'vitest';
import { toVariables } from './docker-node.js';

it('names settings as the image expects them', () => {
  expect(toVariables({ 'log.dirs': '/data', 'a_b.c-d': '1' })).toEqual([
    'KAFKA_LOG_DIRS=/data',
    'KAFKA_A__B_C___D=1',
  ]);
});
