// A router whose spans nobody is sent: the trace of the caller goes on through it all the same.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startTracing } from '../service/telemetry.ts';
import { startTestRouter } from './test-router.ts';
import type { TestRouter } from './test-router.ts';

let router: TestRouter;
let stopTracing: () => Promise<void>;
beforeAll(async () => {
  stopTracing = startTracing('router', undefined);
  router = await startTestRouter();
});
afterAll(async () => {
  await router.close();
  await stopTracing();
});

async function handedOn(headers: Readonly<Record<string, string>>): Promise<unknown> {
  await router.ask('{ users { name } }', { headers });
  return router.seen.at(-1)?.['traceparent'];
}

test.each(['00', '01'])('the trace of the caller goes on to the subgraphs, with its flags %s', async (flags) => {
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
  const traceparent = await handedOn({ traceparent: `00-${traceId}-00f067aa0ba902b7-${flags}` });
  expect(traceparent).toMatch(new RegExp(`^00-${traceId}-[0-9a-f]{16}-${flags}$`));
});

test.each(['nonsense', `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`, `ff-${'1'.repeat(32)}-00f067aa0ba902b7-01`])(
  'what is no trace context is not handed on: %s',
  async (traceparent) => {
    const given = await handedOn({ traceparent });
    expect(given).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
    expect(given).not.toContain(traceparent.slice(3, 35));
  },
);

test('who brings no trace is given one, so that what one request did can be found', async () => {
  const [one, other] = [await handedOn({}), await handedOn({})];
  expect(one).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
  expect(other).not.toBe(one);
});
