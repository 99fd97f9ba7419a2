// Ports: held by one alone, the next free one said aloud, clear errors for those asked for by name.
import { afterEach, describe, expect, test } from '@jest/globals';
import { createServer } from 'node:net';
import type { Server } from 'node:net';
import { holdFreePort, holdPort, holdPorts, PortError } from './ports.ts';
import type { HeldPort } from './ports.ts';

const held: HeldPort[] = [];
const servers: Server[] = [];

afterEach(async () => {
  for (const one of held.splice(0)) one.release();
  await Promise.all(servers.splice(0).map((one) => new Promise((resolve) => one.close(resolve))));
});

async function hold(wishes: Parameters<typeof holdPorts>[0]): Promise<{ ports: number[]; said: string[] }> {
  const said: string[] = [];
  const found = await holdPorts(wishes, (sentence) => said.push(sentence));
  held.push(...found);
  return { ports: found.map((one) => one.port), said };
}

/** A port that is free now, and the one above it too. */
async function freePair(): Promise<number> {
  for (;;) {
    const first = await holdFreePort();
    const second = await holdPort(first.port + 1);
    first.release();
    second?.release();
    if (second !== undefined) return first.port;
  }
}

async function occupy(port: number, host = '127.0.0.1'): Promise<void> {
  const server = createServer();
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(port, host, resolve));
}

describe('ports', () => {
  test('a held port is not held twice, and a released one is free again', async () => {
    const first = await holdFreePort();
    expect(await holdPort(first.port)).toBeUndefined();
    first.release();
    const again = await holdPort(first.port);
    expect(again?.port).toBe(first.port);
    again?.release();
  });

  test('forty at once are forty different ones, which servers can listen on', async () => {
    held.push(...(await Promise.all(Array.from({ length: 40 }, holdFreePort))));
    expect(new Set(held.map((one) => one.port)).size).toBe(40);
    await Promise.all(held.map((one) => occupy(one.port)));
  });

  test('the preferred port is taken without a word', async () => {
    const preferred = await freePair();
    expect(await hold([{ variable: 'ROUTER_PORT', preferred, given: undefined }])).toEqual({
      ports: [preferred],
      said: [],
    });
  });

  test.each(['127.0.0.1', '::1'])(
    'a preferred port taken on %s gives way to the next free one, said aloud',
    async (host) => {
      const preferred = await freePair();
      await occupy(preferred, host);
      const { ports, said } = await hold([{ variable: 'ROUTER_PORT', preferred, given: '' }]);
      expect(ports[0]).toBeGreaterThan(preferred);
      expect(said).toEqual([
        `port ${String(preferred)} is taken; using ${String(ports[0])} — set ROUTER_PORT to choose`,
      ]);
    },
  );

  test('the next free one is not what another part prefers', async () => {
    const preferred = await freePair();
    await occupy(preferred);
    const { ports } = await hold([
      { variable: 'ROUTER_PORT', preferred, given: undefined },
      { variable: 'ORDER_PORT', preferred: preferred + 1, given: undefined },
    ]);
    expect(ports[0]).toBeGreaterThan(preferred + 1);
    expect(ports[1]).toBe(preferred + 1);
  });

  test('a given port that is taken is an error naming port and variable, and nothing stays held', async () => {
    const port = await freePair();
    await occupy(port + 1);
    const wishes = [
      { variable: 'ORDER_PORT', preferred: port, given: undefined },
      { variable: 'ROUTER_PORT', preferred: 4000, given: String(port + 1) },
    ];
    await expect(hold(wishes)).rejects.toThrow(`Port ${String(port + 1)} is taken, and ROUTER_PORT asks for it.`);
    const again = await holdPort(port);
    expect(again).toBeDefined();
    again?.release();
  });

  test.each(['0', '65536', '-1', '4000.5', 'http', '0x10'])('"%s" is no port', async (given) => {
    await expect(hold([{ variable: 'ROUTER_PORT', preferred: 4000, given }])).rejects.toThrow(PortError);
  });
});
