import { readFile } from 'node:fs/promises';

/** A self-signed certificate for localhost, 127.0.0.1 and ::1, valid from 2020 to 2120. */
export interface TestCertificate {
  /** PEM. */
  readonly cert: string;
  /** PEM. Published with these sources: it protects nothing. */
  readonly key: string;
}

/** Reads the certificate that the testbed ships. */
export async function readTestCertificate(): Promise<TestCertificate> {
  const read = (name: string): Promise<string> =>
    readFile(new URL(`../certificates/${name}`, import.meta.url), 'utf8');
  const [cert, key] = await Promise.all([
    read('localhost-certificate.pem'),
    read('localhost-key.pem'),
  ]);
  return { cert, key };
}
