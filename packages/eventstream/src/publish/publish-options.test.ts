import { describe, expect, it } from 'vitest';
import { resolvePublisherOptions } from './publish-options.js';

describe('resolvePublisherOptions', () => {
  it('keeps given options and fills in the defaults', () => {
    const settings = resolvePublisherOptions({ lingerMs: 0, minTries: undefined });
    expect(settings).toMatchObject({ lingerMs: 0, minTries: 3, publishTimeoutMs: 60_000 });
  });

  it('ignores options of others than publishers', () => {
    const config = { lingerMs: 1, fetchWaitMs: 0 };
    expect(resolvePublisherOptions(config)).not.toHaveProperty('fetchWaitMs');
  });

  it.each([
    { lingerMs: -1 },
    { maxBatchRecords: 0 },
    { maxBatchBytes: 0 },
    { maxBufferBytes: Number.POSITIVE_INFINITY },
    { publishTimeoutMs: Number.NaN },
    { minTries: 0 },
    { tryTimeoutMs: 0 },
    { metadataMaxAgeMs: 0 },
    { partitioner: 'random' as 'java' },
  ])('refuses %o', (options) => {
    expect(() => resolvePublisherOptions(options)).toThrow(
      expect.objectContaining({ code: 'OPTION_INVALID' }),
    );
  });
});
