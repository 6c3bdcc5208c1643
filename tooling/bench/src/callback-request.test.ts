import { expect, it } from 'vitest';
import { callbackBody, callbackRequest } from './callback-request.js';

it('carries exactly 1 KiB of JSON', () => {
  expect(Buffer.byteLength(callbackBody)).toBe(1024);
  expect(JSON.parse(callbackBody)).toMatchObject({ event: 'order.updated' });
});

it('requests a POST with that body', () => {
  const request = JSON.parse(callbackRequest('http://127.0.0.1:1/', { 'x-a': 'b' }));
  expect(request).toMatchObject({ method: 'POST', url: 'http://127.0.0.1:1/' });
  expect(request.postdata.headers).toMatchObject({ 'x-a': 'b' });
  expect(Buffer.from(request.postdata.data, 'base64').toString()).toBe(callbackBody);
});
