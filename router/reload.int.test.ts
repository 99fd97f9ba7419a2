// The router as a process, alone, over files and sockets: how it starts, and what a new supergraph does to those who are served.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { holdFreePort } from '../dev/ports.ts';
import type { HeldPort } from '../dev/ports.ts';
import { composeSupergraph } from '../schema/compose.ts';
import { runRouter, startRouterProcess } from './test-process.ts';
import type { RouterProcess } from './test-process.ts';
import { reply, startScriptedSubgraph } from './test-scripted-subgraph.ts';
import type { ScriptedSubgraph } from './test-scripted-subgraph.ts';

const link = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@authenticated"])';

let folder: string;
let file: string;
let oldShop: ScriptedSubgraph;
let newShop: ScriptedSubgraph;
let stock: ScriptedSubgraph;
/** Of the stock: nobody else is given it while the stock is away. */
let stockPort: HeldPort;
let router: RouterProcess;

/** The shop is at `url`; `more` are fields of its root and other subgraphs. */
function supergraph(url: string, more = '', others: { name: string; url: string; sdl: string }[] = []): string {
  const sdl = `${link} type Query { where: String secret: String @authenticated item: Item ${more} } type Item @key(fields: "id") { id: ID! }`;
  return composeSupergraph([{ name: 'shop', url, sdl }, ...others]).supergraphSdl;
}

async function put(sdl: string): Promise<void> {
  await writeFile(`${file}.new`, sdl);
  await rename(`${file}.new`, file);
}

/** Puts it and waits until it is in force or refused. */
async function reload(sdl: string): Promise<void> {
  const before = router.log.length;
  await put(sdl);
  for (;;) {
    const outcome = router.log
      .slice(before)
      .find(({ msg }) => /supergraph (was replaced|is refused)/.test(String(msg)));
    if (outcome !== undefined) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const readiness = async (): Promise<{ status: number; checks: Record<string, string> }> => {
  const response = await fetch(`${router.origin}/health/ready`);
  const { checks } = (await response.json()) as { checks: Record<string, string> };
  return { status: response.status, checks };
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'reload-'));
  file = join(folder, 'supergraph.graphql');
  stockPort = await holdFreePort();
  [oldShop, newShop, stock] = await Promise.all([
    startScriptedSubgraph(),
    startScriptedSubgraph(),
    startScriptedSubgraph(stockPort.port),
  ]);
  await put(supergraph(oldShop.url));
  // Nothing but the file and what turns authentication off: no broker, no keys. That the machine is busy turns nobody away.
  const environment = { AUTH_MODE: 'off', EVENT_LOOP_DELAY_MS: '600000' };
  router = await startRouterProcess(['--supergraph', file, '--port', '0'], environment);
});
afterAll(async () => {
  expect(await router.stop()).toBe(0);
  await Promise.all([oldShop.stop(), newShop.stop(), stock.stop()]);
  stockPort.release();
  await rm(folder, { recursive: true });
});

const answering = (where: string) => (response: Parameters<typeof reply>[0]) =>
  reply(response, { data: { where, secret: `of the ${where}`, item: { __typename: 'Item', id: '1' } } });

test('alone, it answers its health at every address, and queries from the addresses of the SDL', async () => {
  oldShop.play(answering('old shop'));
  for (const path of ['/health', '/health/live', '/health/ready']) {
    expect((await fetch(`${router.origin}${path}`)).status).toBe(200);
  }
  expect(await router.ask('{ where }')).toEqual({ status: 200, data: { where: 'old shop' } });
});

describe('a new supergraph', () => {
  test('brings its fields, subgraphs and addresses, while what is under way goes on with those that it began with', async () => {
    const { promise: asked, resolve: isAsked } = Promise.withResolvers<undefined>();
    const { promise: released, resolve: release } = Promise.withResolvers<undefined>();
    oldShop.play((response) => {
      isAsked(undefined);
      void released.then(() => answering('old shop')(response));
    });
    newShop.play(answering('new shop'));
    stock.play((response, { variables }) =>
      reply(response, {
        data: variables?.representations === undefined ? {} : { _entities: [{ left: 7 }] },
      }),
    );
    const underWay = router.ask('{ where item { id } }');
    await asked;
    const stockSdl = `${link} type Item @key(fields: "id") { id: ID! left: Int }`;
    await reload(supergraph(newShop.url, 'more: String', [{ name: 'stock', url: stock.url, sdl: stockSdl }]));

    expect(await router.ask('{ where item { left } }')).toEqual({
      status: 200,
      data: { where: 'new shop', item: { left: 7 } },
    });
    release(undefined);
    expect(await underWay).toEqual({ status: 200, data: { where: 'old shop', item: { id: '1' } } });
    expect(oldShop.asked()).toBe(1);
  });

  test('asks nobody for a token either when AUTH_MODE is off', async () => {
    newShop.play(answering('new shop'));
    expect((await router.ask('{ secret }')).data).toEqual({ secret: 'of the new shop' });
  });

  test.each([
    ['cut off', (sdl: string) => sdl.slice(0, sdl.length / 2)],
    ['no supergraph', () => 'type Query { a: Int }'],
  ])('that is %s is refused, said so, and the present one goes on', async (_name, broken) => {
    newShop.play(answering('new shop'));
    const good = supergraph(newShop.url, 'again: String');
    await reload(good);
    const { checks } = await readiness();
    await reload(broken(good));

    expect(await router.ask('{ where }')).toEqual({ status: 200, data: { where: 'new shop' } });
    const refused = await readiness();
    expect(refused.status).toBe(200);
    expect(refused.checks).toEqual({ ...checks, newSupergraph: expect.stringMatching(/^refused at .*, see the log$/) });
    const metrics = await (await fetch(`${router.origin}/metrics`)).text();
    expect(metrics).toMatch(/router_supergraph_reloads_total\{outcome="refused",.*\} [1-9]/);
    expect(router.log.findLast(({ level }) => level === 'error')).toMatchObject({
      msg: 'the new supergraph is refused; the present one goes on',
    });
    await reload(supergraph(newShop.url, 'more: Int'));
    expect((await readiness()).checks).not.toHaveProperty('newSupergraph');
  });
});

test('ten new supergraphs and three restarts of a subgraph, and no request fails that does not need that subgraph', async () => {
  newShop.play(answering('new shop'));
  const stockSdl = `${link} type Item @key(fields: "id") { id: ID! left: Int }`;
  const left: Parameters<ScriptedSubgraph['play']>[0] = (response) =>
    reply(response, { data: { _entities: [{ left: 7 }] } });
  const withStock = (version: number): string =>
    supergraph(newShop.url, `version${String(version)}: String`, [{ name: 'stock', url: stock.url, sdl: stockSdl }]);
  stock.play(left);
  await reload(withStock(0));

  let over = false;
  const independent = new Set<string>();
  const dependent = new Set<string>();
  let answers = 0;
  const ask = async (query: string, seen: Set<string>): Promise<void> => {
    const { status, data } = await router.ask(query);
    seen.add(JSON.stringify([status, data]));
    answers += 1;
  };
  const client = async (...asked: Parameters<typeof ask>): Promise<void> => {
    while (!over) await ask(...asked);
  };
  const clients = [
    ...Array.from({ length: 4 }, () => client('{ where item { id } }', independent)),
    ...Array.from({ length: 2 }, () => client('{ item { left } }', dependent)),
  ];
  for (let version = 1; version <= 10; version++) {
    if (version % 3 === 0) await stock.stop();
    await reload(withStock(version));
    // Long enough under each for all clients to be answered.
    const enough = answers + 2 * clients.length;
    while (answers < enough) await new Promise((resolve) => setImmediate(resolve));
    await ask('{ item { left } }', dependent);
    if (version % 3 === 0) {
      stock = await startScriptedSubgraph(stockPort.port);
      stock.play(left);
    }
  }
  over = true;
  await Promise.all(clients);

  expect([...independent]).toEqual([JSON.stringify([200, { where: 'new shop', item: { id: '1' } }])]);
  // What needs the subgraph is answered in part while it is gone, never refused.
  expect([...dependent].toSorted()).toEqual([
    JSON.stringify([200, { item: { left: 7 } }]),
    JSON.stringify([200, { item: { left: null } }]),
  ]);
  expect((await router.ask('{ version10 }')).status).toBe(200);
});

describe('a start', () => {
  test.each([
    ['without the file', undefined, /^\S+ cannot be served as a supergraph: ENOENT.*\n$/],
    ['with a file that is no GraphQL', 'type Query {', /^\S+ cannot be served as a supergraph: Syntax Error.*\n$/],
    ['with a schema that is no supergraph', 'type Query { a: Int }', /^\S+ cannot be served as a supergraph: .*\n$/],
  ])('%s says so in one line', async (_name, content, line) => {
    const path = join(folder, 'bad.graphql');
    await rm(path, { force: true });
    if (content !== undefined) await writeFile(path, content);
    const { exitCode, stdout, stderr } = await runRouter(['--supergraph', path], {
      AUTH_MODE: 'off',
      ROUTER_PORT: '0',
    });
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toMatch(line);
  });
});
