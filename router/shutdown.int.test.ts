// A router that is told to go while a subgraph hangs: those who wait are told so, and the exit is clean all the same.
import { afterEach, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { composeSupergraph } from '../schema/compose.ts';
import { stopClock } from './test-clock.ts';
import { startRouterProcess } from './test-process.ts';
import { startTestRouter } from './test-router.ts';
import { reply, startScriptedSubgraph } from './test-scripted-subgraph.ts';
import type { ScriptedSubgraph } from './test-scripted-subgraph.ts';

const cleanUp: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of cleanUp.splice(0).toReversed()) await end();
});

async function startSubgraph(): Promise<ScriptedSubgraph> {
  const subgraph = await startScriptedSubgraph();
  cleanUp.push(() => subgraph.stop());
  return subgraph;
}

test('what a subgraph leaves unanswered ends with its code a second before the time for the shutdown is over', async () => {
  using clock = stopClock();
  const subgraph = await startSubgraph();
  const router = await startTestRouter({ SUBGRAPH_URL_USERS: subgraph.url, SHUTDOWN_TIMEOUT_MS: '4000' });
  cleanUp.push(() => router.close());
  const { promise: arrived, resolve: bothArrived } = Promise.withResolvers<void>();
  let open = 0;
  subgraph.play(() => {
    if (++open === 2) bothArrived();
  });
  const waiting = router.ask('{ slow }');
  // One whose client does not wait for it: a mutation goes on.
  const gone = new AbortController();
  const acting = fetch(router.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query: 'mutation { rename(id: 1, name: "x") { id } }' }),
    signal: gone.signal,
  });
  await arrived;
  gone.abort();
  await expect(acting).rejects.toThrow();
  const closed = router.router.close();
  clock.advance(3_000);
  expect(await waiting).toMatchObject({
    status: 200,
    data: { slow: null },
    errors: [{ extensions: { code: 'TIMEOUT' } }],
  });
  await closed;
});

test('clients that neither send nor end what they began are cut off half a second before', async () => {
  using clock = stopClock();
  const router = await startTestRouter({ LIVE_DRAIN_MS: '0', SHUTDOWN_TIMEOUT_MS: '4000' });
  cleanUp.push(() => router.close());
  const { hostname, port } = new URL(router.origin);
  const begin = async (head: readonly string[], isBegun: (answer: string) => boolean): Promise<Socket> => {
    const socket = connect(Number(port), hostname);
    socket.write(`${[...head, `host: ${hostname}`].join('\r\n')}\r\n\r\n`);
    let answer = '';
    while (!isBegun(answer)) answer += String((await once(socket, 'data')) as [Buffer]);
    return socket;
  };
  const json = ['content-type: application/json', 'content-length: 100'];
  // It is asked to go on, so it is known to have arrived.
  const sending = await begin(['POST /graphql HTTP/1.1', ...json, 'expect: 100-continue'], (one) =>
    one.includes(' 100 '),
  );
  const upgrade = ['connection: upgrade', 'upgrade: websocket', 'sec-websocket-version: 13'];
  const key = ['sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==', 'sec-websocket-protocol: graphql-transport-ws'];
  const watching = await begin(['GET /graphql HTTP/1.1', ...upgrade, ...key], (one) => one.includes(' 101 '));
  const ends = [sending, watching].map(async (socket) => {
    socket.on('error', () => undefined);
    socket.resume();
    await once(socket, 'close');
  });
  const closed = router.router.close();
  clock.advance(3_500);
  await Promise.all(ends);
  await closed;
});

test('what comes in time is given, and the process exits as it should', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'shutdown-'));
  cleanUp.push(() => rm(folder, { recursive: true }));
  const subgraph = await startSubgraph();
  const sdl = 'type Query { answer: Int }';
  const { supergraphSdl } = composeSupergraph([{ name: 'one', url: subgraph.url, sdl }]);
  const file = join(folder, 'supergraph.graphql');
  await writeFile(file, supergraphSdl);
  const environment = { AUTH_MODE: 'off', SHUTDOWN_TIMEOUT_MS: '600000' };
  const router = await startRouterProcess(['--supergraph', file], environment);
  cleanUp.push(() => router.stop());
  const { promise: arrived, resolve } = Promise.withResolvers<() => void>();
  subgraph.play((response) => resolve(() => reply(response, { data: { answer: 42 } })));
  const waiting = router.ask('{ answer }');
  const answer = await arrived;
  const exit = router.stop();
  await router.logged('stopping');
  answer();
  expect(await waiting).toEqual({ status: 200, data: { answer: 42 } });
  expect(await exit).toBe(0);
});
