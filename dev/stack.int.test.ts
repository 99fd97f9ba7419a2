// The stack with stand-ins for the four processes: what each is told, how it is supervised, ended, and given up.
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { commandOf } from './processes.ts';
import { startStack } from './stack.ts';
import type { Stack, StackEvent, StackOptions } from './stack.ts';
import { eventually } from './testing.ts';

/** Answers 200 everywhere, with its environment; or fails to migrate when it is told to. */
const standIn = `
  import { createServer } from 'node:http';
  if (process.argv[2] === 'migrate') {
    if (process.env.FAIL_MIGRATION) { console.log('no such column'); process.exit(1); }
    process.exit(0);
  }
  const name = process.env.ROUTER_PORT ? 'ROUTER' : ['ORDER', 'PAYMENT', 'DELIVERY'].find((one) => process.env[one + '_PORT']);
  createServer((_, response) => response.end(JSON.stringify(process.env))).listen(process.env[name + '_PORT'], '127.0.0.1');
  process.on('SIGTERM', () => process.exit(0));
`;

let folder: string;
let scripts: NonNullable<StackOptions['scripts']>;
let events: StackEvent[];
let stack: Stack | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'baedal-stack-'));
  const script = join(folder, 'stand-in.mjs');
  await writeFile(script, standIn);
  scripts = { router: script, order: script, payment: script, delivery: script };
  events = [];
});
afterEach(async () => {
  await stack?.stop();
  stack = undefined;
  await rm(folder, { recursive: true });
});

async function start(more: Partial<StackOptions> = {}): Promise<Stack> {
  stack = await startStack({
    dataDir: join(folder, 'data'),
    disposable: true,
    scripts,
    onEvent: (event) => events.push(event),
    ...more,
  });
  return stack;
}

async function environmentOf(one: { health(): Promise<{ body: unknown }> }): Promise<Record<string, string>> {
  return (await one.health()).body as Record<string, string>;
}

describe('the stack', () => {
  test('tells every process what it needs, and nobody the database of another', async () => {
    const { processes, databaseUrls, nats, issuer } = await start({
      environment: { all: { LOG_LEVEL: 'debug' }, order: { ORDER_INITIAL_STATUS: 'ON_HOLD' } },
    });
    const [order, delivery, router] = await Promise.all(
      [processes.order, processes.delivery, processes.router].map(environmentOf),
    );
    const common = { NATS_URL: nats?.url, AUTH_JWKS: issuer.jwksFile, LOG_LEVEL: 'debug' };
    expect(order).toMatchObject({ ...common, ORDER_DATABASE_URL: databaseUrls.order, ORDER_INITIAL_STATUS: 'ON_HOLD' });
    expect(order).not.toHaveProperty('DELIVERY_DATABASE_URL');
    expect(delivery).toMatchObject({ ...common, DELIVERY_DATABASE_URL: databaseUrls.delivery });
    expect(delivery).not.toHaveProperty('ORDER_INITIAL_STATUS');
    expect(router).toMatchObject({
      ...common,
      SUBGRAPH_URL_ORDER: `${processes.order.url}/graphql`,
      SUBGRAPH_URL_PAYMENT: `${processes.payment.url}/graphql`,
      CURSOR_SECRETS: expect.stringMatching(/^.{43}$/),
    });
    expect(router).not.toHaveProperty('ORDER_DATABASE_URL');
  });

  test('starts a killed process again, leaves a stopped one down, and runs several instances of one', async () => {
    const { processes, instances } = await start({ instances: { order: 2 } });
    expect(instances.order.map((one) => one.name)).toEqual(['order', 'order-2']);
    expect(instances.order[1]?.url).not.toBe(processes.order.url);
    expect((await environmentOf(processes.router))['SUBGRAPH_URL_ORDER']).toBe(`${processes.order.url}/graphql`);

    const before = processes.payment.pid;
    await processes.payment.kill('SIGKILL');
    await processes.payment.ready();
    expect(processes.payment.pid).not.toBe(before);
    expect(processes.payment.restarts).toBe(1);
    expect((await processes.payment.health()).status).toBe(200);

    await processes.delivery.stop();
    expect(await processes.delivery.health()).toEqual({ status: 0, body: undefined });
    await processes.delivery.start();
    expect((await processes.delivery.health()).status).toBe(200);
  });

  test('is ended in order: router, subgraphs, then what they stand on; and leaves no file', async () => {
    const running = await start();
    await running.stop();
    const stopped = events.filter((event) => event.state === 'stopped').map((event) => event.part);
    expect(stopped[0]).toBe('router');
    expect(stopped.slice(1, 4).sort()).toEqual(['delivery', 'order', 'payment']);
    expect(stopped.slice(4).sort()).toEqual(['nats', 'postgres']);
    expect(await readdir(folder)).toEqual(['stand-in.mjs']);
  });

  test('uses servers from outside when their addresses are given', async () => {
    const url = 'postgres://someone:secret@db.example:5432/x';
    const running = await start({
      inherit: {
        ...process.env,
        ...{ ORDER_DATABASE_URL: url, PAYMENT_DATABASE_URL: url, DELIVERY_DATABASE_URL: url },
        NATS_URL: 'nats://user:secret@nats.example:4222',
      },
    });
    expect([running.postgres, running.nats]).toEqual([undefined, undefined]);
    expect((await environmentOf(running.processes.order))['ORDER_DATABASE_URL']).toBe(url);
    const shown = events.filter((event) => event.state === 'external').map((event) => `${event.part} ${event.address}`);
    expect(shown.sort()).toEqual(['nats nats://nats.example:4222', 'postgres db.example:5432']);
  });

  test('that cannot migrate says why, and nothing is left running', async () => {
    await expect(start({ environment: { payment: { FAIL_MIGRATION: '1' } } })).rejects.toThrow(
      /migrate[^]*no such column/,
    );
    const pids = events.flatMap((event) => event.pid ?? []);
    expect(pids.length).toBeGreaterThan(0);
    expect(pids.map(commandOf)).toEqual(pids.map(() => undefined));
    expect(await readdir(folder)).toEqual(['stand-in.mjs']);
  });

  test('that is given up while it starts ends what it has started', async () => {
    const giveUp = new AbortController();
    const starting = start({
      signal: giveUp.signal,
      onEvent: (event) => {
        events.push(event);
        if (event.part === 'postgres' && event.state === 'ready') giveUp.abort();
      },
    });
    await expect(starting).rejects.toThrow();
    const pids = events.flatMap((event) => event.pid ?? []);
    expect(pids.map(commandOf)).toEqual(pids.map(() => undefined));
  });

  test('leaves no process when its starter is killed', async () => {
    const options = { dataDir: join(folder, 'data'), disposable: true, scripts };
    const script = `const { startStack } = await import(${JSON.stringify(join(import.meta.dirname, 'stack.ts'))});
      const { processes, postgres, nats } = await startStack(${JSON.stringify(options)});
      console.log(JSON.stringify([...Object.values(processes), postgres.process, nats.process].map((one) => one.pid)));`;
    const starter = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(createInterface({ input: starter.stdout }), 'line')) as [string];
    const pids = JSON.parse(line) as number[];
    expect(pids.map(commandOf).filter((command) => command !== undefined)).toHaveLength(6);
    starter.kill('SIGKILL');
    await eventually(() => Promise.resolve(pids.every((pid) => commandOf(pid) === undefined)));
  });
});
