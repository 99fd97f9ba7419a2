// Rates over HTTP: 429 with the seconds to wait, for a viewer and for an address behind a proxy.
import { afterEach, expect, test } from '@jest/globals';
import { startTestRouter } from './test-router.ts';
import type { AskOptions, TestRouter } from './test-router.ts';

let router: TestRouter;
afterEach(() => router.close());

async function ask({ token, headers }: AskOptions = {}): Promise<{
  status: number;
  wait: string | null;
  codes: unknown[];
}> {
  const response = await fetch(router.url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...headers,
    },
    body: '{"query":"{ __typename }"}',
  });
  const { errors = [] } = (await response.json()) as { errors?: { extensions: Record<string, unknown> }[] };
  const codes = errors.map(({ extensions }) => extensions['code']);
  return { status: response.status, wait: response.headers.get('retry-after'), codes };
}

const passed = { status: 200, wait: null, codes: [] };
const refused = { status: 429, wait: expect.stringMatching(/^([1-9]|10)$/), codes: ['RATE_LIMITED'] };

test('a viewer is refused over their rate, and others are not', async () => {
  router = await startTestRouter({ RATE_LIMIT_PER_VIEWER: '1', RATE_LIMIT_BURST_SECONDS: '2' });
  const ada = await router.token({ sub: 'ada' });
  // Two at once, and at most one more for each second that this takes.
  const outcomes = await Promise.all(Array.from({ length: 40 }, () => ask({ token: ada })));
  expect(outcomes[0]).toEqual(passed);
  expect(outcomes).toContainEqual(refused);
  expect(await ask({ token: await router.token({ sub: 'bo' }) })).toEqual(passed);
  expect(await ask()).toEqual(passed);
});

test('an address is refused over its rate, as the trusted proxy tells it', async () => {
  router = await startTestRouter({
    RATE_LIMIT_PER_ADDRESS: '1',
    RATE_LIMIT_BURST_SECONDS: '2',
    TRUSTED_PROXIES: '127.0.0.0/8, ::1',
  });
  const from = (address: string): ReturnType<typeof ask> => ask({ headers: { 'x-forwarded-for': address } });
  const outcomes = await Promise.all(Array.from({ length: 40 }, () => from('203.0.113.7')));
  expect(outcomes[0]).toEqual(passed);
  expect(outcomes).toContainEqual(refused);
  expect(await from('203.0.113.8')).toEqual(passed);
});
