import { readFileSync } from 'node:fs';
import { PlatformError } from '@posthaste/contracts';

/** A certificate and its key under the names of Node's TLS options. */
export interface TlsCertificate {
  /** The certificate, then the intermediate certificates up to its authority, in PEM. */
  readonly cert: string;
  /** The private key in PEM. */
  readonly key: string;
}

const certificateBlock = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
const keyBlock = /-----BEGIN ([A-Z]+ )?PRIVATE KEY-----[^-]+-----END \1PRIVATE KEY-----/;

/**
 * Reads a certificate chain and its key from one PEM file; the key may stand before or behind.
 * @throws PlatformError `OPTION_INVALID` if the file cannot be read or lacks one of them
 */
export function getTlsCertFromFile(file: string): TlsCertificate {
  const text = read(file);
  const chain = text.match(certificateBlock);
  const key = keyBlock.exec(text)?.[0];
  if (!chain) throw new PlatformError('OPTION_INVALID', `${file} has no certificate`);
  if (!key) throw new PlatformError('OPTION_INVALID', `${file} has no private key`);
  return { cert: `${chain.join('\n')}\n`, key: `${key}\n` };
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new PlatformError('OPTION_INVALID', `certificate file ${file} cannot be read`, { cause });
  }
}
