// How a subgraph's server goes: no request on a kept connection is lost, and it does not linger.
import { expect, test } from '@jest/globals';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { pino } from 'pino';
import { startSubgraphServer } from './subgraph-server.ts';
import { createMetrics } from './telemetry.ts';

/** Far longer than a test may take: what ends sooner ends for another reason. */
const drainMs = 600_000;

const startServer = () =>
  startSubgraphServer({
    sdl: 'type Query { greeting: String! }',
    resolvers: { Query: { greeting: () => 'hello' } },
    createContexts: () => (viewer) => ({ viewer }),
    verify: () => Promise.resolve(undefined),
    host: '127.0.0.1',
    port: 0,
    bodyLimitBytes: 1_024,
    drainMs,
    checks: {},
    log: pino({ level: 'silent' }),
    metrics: createMetrics('test'),
  });

async function ask(
  url: string,
  agent: Agent,
): Promise<{ status: number | undefined; connection: string | undefined; reused: boolean }> {
  const asked = request(url, { method: 'POST', agent, headers: { 'content-type': 'application/json' } });
  asked.end(JSON.stringify({ query: '{ greeting }' }));
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  response.resume();
  await once(response, 'end');
  return { status: response.statusCode, connection: response.headers.connection, reused: asked.reusedSocket };
}

test('a connection that was idle when the drain began may still be used; the answer ends it, and with it the drain', async () => {
  const server = await startServer();
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  expect(await ask(server.url, agent)).toEqual({ status: 200, connection: 'keep-alive', reused: false });
  const closed = server.close();
  expect(await ask(server.url, agent)).toEqual({ status: 200, connection: 'close', reused: true });
  await closed;
  await expect(ask(server.url, agent)).rejects.toThrow('ECONNREFUSED');
});

test('a client that lets go of its idle connections ends the drain', async () => {
  const server = await startServer();
  const agent = new Agent({ keepAlive: true });
  await ask(server.url, agent);
  const closed = server.close();
  agent.destroy();
  await closed;
});
