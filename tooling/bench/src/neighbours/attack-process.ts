/** Program: runs one attack. Its first message is `{ name, context }`; it ends when the attack is over. */

import { setPriority } from 'node:os';
import type { AttackContext } from './attack-context.js';
import { attacks } from './attacks.js';

// An attacker has a machine of its own: it must not take the processor from the platform here.
setPriority(19);
process.once('message', ({ name, context }: { name: string; context: AttackContext }) => {
  const attack = attacks[name];
  if (!attack) throw new Error(`there is no attack '${name}'`);
  attack(context).then(
    () => process.exit(0),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
