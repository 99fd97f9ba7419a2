// Requests that are made to hurt: each is answered with its code, and the router goes on.
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { hostileRequests } from './test-hostile.ts';
import { startTestRouter } from './test-router.ts';
import type { TestRouter } from './test-router.ts';

let router: TestRouter;
beforeAll(async () => {
  router = await startTestRouter({ BATCH_LIMIT: '10' });
});
afterAll(() => router.close());
afterEach(async () => {
  expect((await router.ask('{ echo(number: 1) }')).data).toEqual({ echo: 1 });
});

describe('hostile', () => {
  test.each(hostileRequests(0).map((request) => [request.name, request] as const))('%s', async (_name, request) => {
    const headers = { 'content-type': 'application/json', ...request.headers };
    const response = await fetch(router.url, { method: 'POST', headers, body: request.body });
    const text = await response.text();
    expect(request.codes).toContain(/"code":"(\w+)"/.exec(text)?.[1] ?? 'ok');
    expect(response.status).toBeLessThan(500);
    // Nobody is sent back what they sent.
    if (text.includes('"errors"')) expect(text.length).toBeLessThan(30_000);
  });
});
