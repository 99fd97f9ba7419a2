// Rates over HTTP: 429 with the seconds to wait, for a viewer and for an address behind a proxy.
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { startTestRouter } from './test-router.ts';
import type { AskOptions, TestRouter } from './test-router.ts';

let router: TestRouter;
/** The clock that rates are measured with, in milliseconds: it stands still unless a test moves it on. */
let time = 5_000;
beforeEach(() => void jest.spyOn(performance, 'now').mockImplementation(() => time));
afterEach(async () => {
  jest.restoreAllMocks();
  await router.close();
});

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
const refused = { status: 429, wait: '1', codes: ['RATE_LIMITED'] };

/** Forty at once. Which of them come first is not for the client to say, so those that passed are put in front. */
async function askForty(options: AskOptions): Promise<Awaited<ReturnType<typeof ask>>[]> {
  const outcomes = await Promise.all(Array.from({ length: 40 }, () => ask(options)));
  return outcomes.toSorted((one, other) => one.status - other.status);
}
const only = (count: number): object[] => Array.from({ length: 40 }, (_, at) => (at < count ? passed : refused));

test('a viewer is refused over their rate, and others are not', async () => {
  router = await startTestRouter({ RATE_LIMIT_PER_VIEWER: '1', RATE_LIMIT_BURST_SECONDS: '2' });
  const ada = await router.token({ sub: 'ada' });
  expect(await askForty({ token: ada })).toEqual(only(2));
  time += 1_000;
  expect(await askForty({ token: ada })).toEqual(only(1));
  expect(await ask({ token: await router.token({ sub: 'bo' }) })).toEqual(passed);
  expect(await ask()).toEqual(passed);
});

test('an address is refused over its rate, as the trusted proxy tells it', async () => {
  router = await startTestRouter({
    RATE_LIMIT_PER_ADDRESS: '1',
    RATE_LIMIT_BURST_SECONDS: '2',
    TRUSTED_PROXIES: '127.0.0.0/8, ::1',
  });
  const from = (address: string): AskOptions => ({ headers: { 'x-forwarded-for': address } });
  expect(await askForty(from('203.0.113.7'))).toEqual(only(2));
  expect(await ask(from('203.0.113.8'))).toEqual(passed);
});
