import { pbkdf2Sync, randomBytes } from 'node:crypto';
import { alterUserScramCredentialsV0, Connection, ScramMechanisms } from '@platformatic/kafka';

const iterations = 4_096;

/** Creates a user that can authenticate with SCRAM-SHA-256 and SCRAM-SHA-512. */
export async function addScramUser(address: string, name: string, password: string): Promise<void> {
  const [host = '', port] = address.split(':');
  const connection = new Connection('user-administration');
  await connection.connect(host, Number(port));
  try {
    const hashes = [
      { mechanism: ScramMechanisms.SCRAM_SHA_256, digest: 'sha256', length: 32 },
      { mechanism: ScramMechanisms.SCRAM_SHA_512, digest: 'sha512', length: 64 },
    ];
    // One request may name a user only once.
    for (const { mechanism, digest, length } of hashes) {
      const salt = randomBytes(16);
      const saltedPassword = pbkdf2Sync(password, salt, iterations, length, digest);
      const credential = { name, mechanism, iterations, salt, saltedPassword };
      await alterUserScramCredentialsV0.api.async(connection, [], [credential]);
    }
  } finally {
    await connection.close();
  }
}
