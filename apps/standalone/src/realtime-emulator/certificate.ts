import { createHash, X509Certificate } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Certificate and private key, as PEM. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
  /** File with the certificate, for clients that have to trust it. */
  readonly file: string;
}

const dayMs = 86_400_000;
const validDays = 365;
/** Days before the end of a certificate on which a new one is made. */
const renewDays = 7;

/**
 * Returns a self-signed certificate for localhost and `host`. It is made once and kept in the cache
 * folder of the user, so that what trusts it goes on to.
 */
export async function loadCertificate(host: string): Promise<Certificate> {
  const folder = cacheFolder();
  const name = `realtime-${createHash('sha256').update(host).digest('hex').slice(0, 8)}`;
  const file = join(folder, `${name}-certificate.pem`);
  const keyFile = join(folder, `${name}-key.pem`);
  const known = await readBoth(file, keyFile);
  if (known) return { ...known, file };
  const made = await make(host);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  // The key first: whoever finds the certificate finds its key.
  await replace(keyFile, made.key);
  await replace(file, made.cert);
  return { ...made, file };
}

function cacheFolder(): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'posthaste');
}

async function readBoth(
  file: string,
  keyFile: string,
): Promise<Omit<Certificate, 'file'> | undefined> {
  try {
    const [cert, key] = await Promise.all([readFile(file, 'utf8'), readFile(keyFile, 'utf8')]);
    const { validToDate } = new X509Certificate(cert);
    const isFresh = validToDate.getTime() - Date.now() > renewDays * dayMs;
    return isFresh ? { cert, key } : undefined;
  } catch {
    return undefined;
  }
}

async function make(host: string): Promise<Omit<Certificate, 'file'>> {
  const { generate } = await import('selfsigned');
  const isAddress = /^[\d.]+$|:/.test(host);
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    notAfterDate: new Date(Date.now() + validDays * dayMs),
    extensions: [
      // Clients accept it as its own authority.
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', digitalSignature: true, keyCertSign: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: 'localhost' },
          { type: 7, ip: '127.0.0.1' },
          { type: 7, ip: '::1' },
          isAddress ? { type: 7, ip: host } : { type: 2, value: host },
        ],
      },
    ],
  });
  return { cert, key };
}

async function replace(file: string, text: string): Promise<void> {
  const draft = `${file}.${process.pid}`;
  await writeFile(draft, text, { mode: 0o600 });
  await rename(draft, file);
}
