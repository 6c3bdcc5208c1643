import { expect, it } from 'vitest';
import { findEmulatorFault } from './emulator-faults.js';

it('finds nothing wrong with a configuration of every member', () => {
  const config = {
    namespaces: ['default', { name: 'chat', handlers: { onPublish: () => null } }],
    apiKeys: ['da2-a'],
    oidc: { issuer: 'http://127.0.0.1:4000', audience: 'web' },
    cognito: { userPoolId: 'eu-west-1_abc' },
    lambda: () => ({ isAuthorized: true }),
    iam: [{ accessKeyId: 'AKIA', secretAccessKey: 'secret' }],
    connectionAuthModes: ['API_KEY'],
    defaultPublishAuthModes: ['AWS_IAM'],
    defaultSubscribeAuthModes: ['AWS_LAMBDA', 'OPENID_CONNECT'],
    limits: { publishesPerSecond: Number.POSITIVE_INFINITY },
    region: 'eu-west-1',
  };
  expect(findEmulatorFault(config)).toBeUndefined();
  expect(findEmulatorFault({})).toBeUndefined();
});

it.each([
  [[], 'it must be an object'],
  [{ namespace: [] }, "'namespace' is not known"],
  [{ namespaces: [] }, 'namespaces must be a list with at least one'],
  [{ namespaces: ['a/b'] }, 'namespaces has "a/b"'],
  [{ namespaces: ['a', { name: 'a' }] }, "namespaces has 'a' twice"],
  [{ namespaces: [{ name: 'a', handlers: { onPublish: 'x' } }] }, 'onPublish must be a function'],
  [{ namespaces: [{ name: 'a', handlers: { publish() {} } }] }, 'may be onPublish and onSubscribe'],
  [{ apiKeys: 'da2-a' }, 'apiKeys must be a list of texts'],
  [{ oidc: 'https://id.example.com' }, 'oidc must be an object'],
  [{ oidc: { issuer: 'id.example.com' } }, 'oidc must be an object with the URL'],
  [{ cognito: {} }, 'cognito must be an object with a userPoolId'],
  [{ lambda: 'x' }, 'lambda must be a function'],
  [{ iam: { accessKeyId: 'a', secretAccessKey: 'b' } }, 'iam must be a list'],
  [{ iam: [{ accessKeyId: 'a' }] }, 'iam must be a list'],
  [{ connectionAuthModes: ['apiKey'] }, 'connectionAuthModes must be a list of API_KEY'],
  [{ defaultPublishAuthModes: 'API_KEY' }, 'defaultPublishAuthModes must be a list'],
  [{ limits: { publishes: 5 } }, "limits has 'publishes', which is not one of"],
  [{ region: 5 }, 'region must be a text'],
])('says what is wrong with %j', (config, fault) => {
  expect(findEmulatorFault(config)).toContain(fault);
});
