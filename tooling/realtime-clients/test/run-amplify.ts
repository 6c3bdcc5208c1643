import { fileURLToPath } from 'node:url';
import { type RunningProcess, startProcess } from '@posthaste/testbed';
import { expect } from 'vitest';

const program = fileURLToPath(new URL('amplify-program.ts', import.meta.url));

/** PEM file of the authority that has signed the certificate of the tests: the certificate itself. */
const certificateFile = fileURLToPath(
  new URL('../../testbed/certificates/localhost-certificate.pem', import.meta.url),
);

const endWithinMs = 50_000;

/** Task of the program. */
export interface AmplifyTask {
  /** `aws-amplify-6-22` or `aws-amplify-6-20`. */
  readonly package: string;
  readonly scenario:
    | 'session'
    | 'deniedBesidePublish'
    | 'deniedBesideSibling'
    | 'follow'
    | 'followToTheEnd'
    | 'subscribeMany';
  /** URL that ends with `/event`. */
  readonly endpoint: string;
  readonly mode: 'apiKey' | 'oidc' | 'iam' | 'lambda';
  /** API key; URL that gives tokens; JSON of an IAM key; token for a Lambda authorizer. */
  readonly credential: string;
  /** Channel that the subscriptions of a scenario are on. */
  readonly channel: string;
  /** Channel that nobody may subscribe to. */
  readonly denied?: string | undefined;
}

/** Version of Amplify, as the name of its package has it. */
export type AmplifyVersion = '6-22' | '6-20';

/** Task of a version, with an API key unless it says otherwise. */
export interface AmplifyUse extends Omit<AmplifyTask, 'package' | 'mode'> {
  readonly version: AmplifyVersion;
  readonly mode?: AmplifyTask['mode'];
}

/** Amplify in a process of its own, which trusts the certificate. */
export async function startAmplify(use: AmplifyUse): Promise<RunningProcess> {
  const { version, mode = 'apiKey', ...rest } = use;
  const task: AmplifyTask = { ...rest, mode, package: `aws-amplify-${version}` };
  return startProcess({
    args: [program, JSON.stringify(task)],
    env: { NODE_EXTRA_CA_CERTS: certificateFile },
  });
}

/** Waits for the end of the program. Returns what it saw. */
export async function findOutcome(running: RunningProcess): Promise<Record<string, unknown>> {
  const [line] = await running.waitForLine(/^\{.*\}$/, endWithinMs);
  await running.exited;
  return JSON.parse(line) as Record<string, unknown>;
}

/** Runs Amplify to its end. Returns what it saw. */
export async function runAmplify(use: AmplifyUse): Promise<Record<string, unknown>> {
  return findOutcome(await startAmplify(use));
}

/** Outcome of the scenario `session`. */
export const wholeSession = {
  seen: expect.arrayContaining([{ n: 1, text: 'grüße "all"' }, { n: 2 }, { n: 3 }]),
  errors: [],
  // Amplify returns the events that failed, or nothing.
  failed: [],
};
