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
  test.each(hostileRequests(0).map(({ name, body, codes }) => [name, body, codes] as const))(
    '%s',
    async (_name, body, codes) => {
      const headers = { 'content-type': 'application/json' };
      const response = await fetch(router.url, { method: 'POST', headers, body });
      const answer = (await response.json()) as { errors?: { message: string; extensions: { code: string } }[] };
      expect(codes).toContain(answer.errors?.[0]?.extensions.code ?? 'ok');
      expect(response.status).toBeLessThan(500);
      // Nobody is sent back what they sent.
      for (const { message } of answer.errors ?? []) expect(message.length).toBeLessThan(1_100);
    },
  );
});
