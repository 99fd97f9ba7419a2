// The audits of the GraphQL over HTTP specification (https://graphql.github.io/graphql-over-http/draft/) against the router.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { serverAudits } from 'graphql-http';
import { startTestRouter } from './test-router.ts';
import type { TestRouter } from './test-router.ts';

let router: TestRouter;
beforeAll(async () => {
  router = await startTestRouter({ AUTH_MODE: 'off' });
});
afterAll(() => router.close());

const audits = serverAudits({ url: () => router.url });

describe('GraphQL over HTTP', () => {
  test('has as many audits as are known', () => {
    expect(audits).toHaveLength(61);
  });

  test.each(audits.map(({ id, name, fn }) => [id, name, fn] as const))('%s: %s', async (_id, _name, audit) => {
    const result = await audit();
    if (result.status !== 'ok') throw new Error(`${result.status}: ${result.reason}`);
  });
});
