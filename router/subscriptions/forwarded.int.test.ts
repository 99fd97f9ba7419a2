// Headers that go on to subgraphs from sockets and streams: those of the upgrade, or of the request; and who may share an answer.
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WebSocket } from 'ws';
import { startNats } from '../../dev/nats.ts';
import type { Nats } from '../../dev/nats.ts';
import { composeThings, renewThingsStream, startTestLive, tokenOf, watch } from './test-live.ts';
import type { TestLive } from './test-live.ts';

let broker: Nats;
let live: TestLive;

beforeAll(async () => {
  broker = await startNats({ storeDir: await mkdtemp(join(tmpdir(), 'live-')), disposable: true });
});
afterAll(() => broker.close());
beforeEach(async () => {
  await renewThingsStream(broker.url);
  live = await startTestLive({ natsUrl: broker.url, forward: ['x-tenant'] });
});
afterEach(() => live.close());

const watched = 'subscription { thingChanged(id: "a") { version thing { name } } }';
const uncompleted = 'subscription { thingChanged(id: "a") { version } }';
const asked = 'query ($id: ID! = "a") { thing(id: $id) { name } }';
const token = tokenOf('alice');

/** A WebSocket client whose upgrade has headers. */
const clientOf = (tenant: string) =>
  live.client(token, {
    webSocketImpl: class extends WebSocket {
      constructor(url: string, protocols: string) {
        super(url, protocols, { headers: { 'x-tenant': tenant, 'x-other': 'stays' } });
      }
    },
  });
const tenants = (): (readonly string[] | undefined)[] =>
  live.subgraph.requests.map(({ context }) => context.forwarded?.pairs);

test('over WebSocket they are those of the upgrade, for queries and events', async () => {
  const client = clientOf('one');
  expect(await watch(client, asked).next()).toEqual({ data: { thing: { name: 'thing a' } } });
  await live.publish('alice', 'a', 1);
  expect(await watch(client, watched).next()).toMatchObject({ data: { thingChanged: { version: 1 } } });
  expect(tenants()).toEqual([
    ['x-tenant', 'one'],
    ['x-tenant', 'one'],
  ]);
});

test.each([
  ['text/event-stream', watched],
  ['text/event-stream', asked],
  ['multipart/mixed;subscriptionSpec=1.0, application/json', watched],
])('over %s they are those of the request: %s', async (accept, query) => {
  await live.publish('alice', 'a', 1);
  const response = await fetch(live.httpUrl, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept, authorization: token, 'x-tenant': 'one' },
    body: JSON.stringify({ query }),
  });
  let text = '';
  for await (const chunk of response.body ?? []) {
    text += Buffer.from(chunk).toString();
    if (text.includes('thing a')) break;
  }
  expect(tenants()).toEqual([['x-tenant', 'one']]);
});

test('an event is completed once for those with the same headers, and apart for others', async () => {
  await live.publish('alice', 'a', 1);
  const watching = ['one', 'one', 'two'].map((tenant) => watch(clientOf(tenant), watched));
  for (const one of watching) await one.next();
  expect(await live.value('groups')).toBe(2);
  live.subgraph.requests.length = 0;
  await live.publish('alice', 'a', 2);
  for (const one of watching) expect(await one.next()).toMatchObject({ data: { thingChanged: { version: 2 } } });
  expect(tenants().toSorted()).toEqual([
    ['x-tenant', 'one'],
    ['x-tenant', 'two'],
  ]);
  // A subscription that is planned anew keeps them.
  live.reload(composeThings((sdl) => sdl.replace('note: String,', 'remark: String,')));
  expect(await live.value('groups')).toBe(2);
});

test('where nothing is fetched, headers make no difference', async () => {
  await live.publish('alice', 'a', 1);
  for (const tenant of ['one', 'two']) await watch(clientOf(tenant), uncompleted).next();
  expect(await live.value('groups')).toBe(1);
});
