// What a client is told when something fails that never should.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { BlockList } from 'node:net';
import { createLog } from '../service/log.ts';
import { createHttpServer } from './http.ts';
import type { HttpServer } from './http.ts';
import { createRouterMetrics } from './metrics.ts';
import { createPersistedOperations } from './persisted-operations.ts';
import { createRateLimits } from './rate-limits.ts';
import { createAdmission } from './traffic/admission.ts';

let server: HttpServer;
let url: string;
beforeAll(async () => {
  server = createHttpServer({
    admission: createAdmission({ maxUnderWay: 10, maxLoopDelayMs: 1_000 }),
    answer: () => Promise.reject(new RangeError('Maximum call stack size exceeded')),
    verify: () => Promise.resolve(undefined),
    rates: createRateLimits({ perAddress: 0, perViewer: 0, burstSeconds: 1, trustedProxies: new BlockList() }),
    pages: undefined,
    metrics: createRouterMetrics({ maxOperationNames: 1 }),
    stream: () => undefined,
    forward: () => undefined,
    forwardedNames: [],
    details: () => ({}),
    corsOrigins: new Set(),
    bodyLimitBytes: 1_000,
    receiveTimeoutMs: 10_000,
    batchLimit: 0,
    compression: false,
    persisted: createPersistedOperations({
      automatic: false,
      cacheEntries: 1,
      unlisted: 'log',
      onUnlisted: () => undefined,
      list: undefined,
    }),
    requestTimeoutMs: 10_000,
    drainMs: 0,
    report: () => undefined,
    log: createLog('router', 'silent'),
  });
  url = await server.listen('127.0.0.1', 0);
});
afterAll(() => server.close());

test('a failure of our own is answered, also when the request has been read whole', async () => {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query: '{ a }' }),
  });
  expect(response.status).toBe(500);
  expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'INTERNAL_SERVER_ERROR' } }] });
});
