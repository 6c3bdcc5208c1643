import { describe, expect, it } from 'vitest';
import { AllowedRecipients, isMailAddress, toMailbox, toRecipientAddress } from './mail-address.js';

describe('mail addresses', () => {
  it('accepts one address, and no text that could be two addresses, a header or a route', () => {
    const good = ['a@b', 'a.b+c@example.com', 'jörg@example.com', "o'neil@example.com"];
    expect(good.filter((text) => !isMailAddress(text))).toEqual([]);
    const bad = [
      '',
      'a',
      'a@b@c',
      'a@b,c@d',
      'a@b, c@d',
      'a@b c',
      'a@b\n',
      'a@b\r\nBcc: c@d',
      'a\u0000@b',
      '<a@b>',
      'Name <a@b>',
      '"a"@b',
      'a@b;c',
      'group:a@b',
      'a@b(c)d',
      '@relay:a@b',
      'victim%other.example@example.com',
      'other.example!victim@example.com',
      'a\u200b@example.com',
      'a\u202e@example.com',
      'a@exa\u00admple.com',
      'a@ｅxample.com',
      'a@example。com',
      'a@-example.com',
      'a@example.com.',
      `${'a'.repeat(65)}@example.com`,
      '\ud800@example.com',
    ];
    expect(bad.filter(isMailAddress)).toEqual([]);
  });

  it('compares domains without case, and the part before them as it is', () => {
    expect(toRecipientAddress('Ops@EXAMPLE.Com')).toBe('Ops@example.com');
    expect(toRecipientAddress('ops@example.com')).not.toBe(toRecipientAddress('Ops@example.com'));
    expect(toRecipientAddress('a@b, c@d')).toBeUndefined();
  });

  it('counts spellings that reach the same person as one mailbox', () => {
    const spellings = [
      'Victim@Example.com',
      'victim+1@example.com',
      'ＶＩＣＴＩＭ+x+y@example.com',
    ];
    expect(new Set(spellings.map(toMailbox))).toEqual(new Set(['victim@example.com']));
    expect(toMailbox('+a@example.com')).toBe('+a@example.com');
    expect(toMailbox('other@example.com')).not.toBe('victim@example.com');
  });

  it('knows the addresses and the domains of a list, without their subdomains', () => {
    const allowed = new AllowedRecipients(['Ops@Example.com', '*@Shop.example']);
    const known = (address: string): boolean => allowed.has(toRecipientAddress(address) ?? '');
    expect(['Ops@example.com', 'any@shop.example', 'any@SHOP.example'].map(known)).toEqual([
      true,
      true,
      true,
    ]);
    const others = [
      'ops@example.com',
      'ops@shop.example.evil',
      'a@x.shop.example',
      'a%shop.example@b',
      '*@b',
    ];
    expect(others.map(known)).toEqual([false, false, false, false, false]);
    expect(new AllowedRecipients().has('a@b')).toBe(false);
  });
});
