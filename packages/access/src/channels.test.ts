import { describe, expect, it } from 'vitest';
import { commonChannels, coversChannels, mayUseChannel } from './channels.js';
import type { Scope } from './scopes.js';

const caller = (scopes: Scope[], channels?: string[]) => ({
  scopes,
  ...(channels && { channels }),
});

describe('channels', () => {
  it('need the scope of the operation', () => {
    expect(mayUseChannel(caller(['realtime:publish']), 'publish', '/a/b')).toBe(true);
    expect(mayUseChannel(caller(['realtime:publish']), 'subscribe', '/a/b')).toBe(false);
    expect(mayUseChannel(caller(['callbacks:read']), 'publish', '/a/b')).toBe(false);
    expect(mayUseChannel(caller(['admin']), 'subscribe', '/a/*')).toBe(true);
  });

  it('are those of the patterns', () => {
    const of = (channel: string) =>
      mayUseChannel(caller(['realtime:subscribe'], ['/chat/*', '/news']), 'subscribe', channel);
    expect(['/chat/a', '/chat/a/b', '/chat/*', '/chat/a/*', '/news'].map(of)).not.toContain(false);
    expect(['/chat', '/chatter/a', '/news/a', '/news/*', '/other', '/*'].map(of)).not.toContain(
      true,
    );
  });

  it('of nobody include nothing, and of nobody restricted everything', () => {
    expect(coversChannels([], ['/a'])).toBe(false);
    expect(coversChannels(null, null)).toBe(true);
    expect(coversChannels(['/a/*'], null)).toBe(false);
  });

  it('in common are the narrower ones', () => {
    expect(commonChannels(['/a/*', '/b'], ['/a/x', '/c'])).toEqual(['/a/x']);
    expect(commonChannels(['/a/x'], ['/a/*'])).toEqual(['/a/x']);
    expect(commonChannels(null, ['/a'])).toEqual(['/a']);
    expect(commonChannels(['/a'], null)).toEqual(['/a']);
  });
});
