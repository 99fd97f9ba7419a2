// `npm start` as a person meets it, with the real processes: ready, one at a time, restarts, Ctrl-C. And the command line of `npm run token`.
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { root } from './folders.ts';
import { commandOf } from './processes.ts';

let folder: string;
const running: ChildProcess[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'baedal-start-'));
});
afterEach(async () => {
  for (const one of running.splice(0)) {
    if (one.exitCode !== null || one.signalCode !== null) continue;
    one.kill('SIGKILL');
    await once(one, 'close');
  }
  await rm(folder, { recursive: true, force: true });
});

interface Program {
  readonly child: ChildProcess;
  readonly lines: string[];
  /** Resolves with the first line, from the beginning, that matches. */
  line(pattern: RegExp): Promise<string>;
  ended: Promise<number | null>;
}

function run(script: string, args: readonly string[], environment: Record<string, string> = {}): Program {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', join(root, 'dev', script), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...environment },
  });
  running.push(child);
  const lines: string[] = [];
  const watchers = new Set<() => void>();
  for (const input of [child.stdout, child.stderr]) {
    createInterface({ input }).on('line', (line) => {
      lines.push(line);
      for (const watcher of watchers) watcher();
    });
  }
  const ended = once(child, 'close').then(([code]) => {
    for (const watcher of watchers) watcher();
    return code as number | null;
  });
  return {
    child,
    lines,
    ended,
    line: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const found = lines.find((line) => pattern.test(line));
          if (found !== undefined) resolve(found);
          else if (child.exitCode !== null) reject(new Error(`ended without ${String(pattern)}:\n${lines.join('\n')}`));
        };
        watchers.add(look);
        look();
      }),
  };
}

describe('npm start', () => {
  test('gets ready, is alone on its data, starts a killed process again, and ends on Ctrl-C with nothing left', async () => {
    const data = join(folder, 'data');
    // A busy machine makes the router late, for which it would turn the query away.
    const first = run('start.ts', ['--data', data], { EVENT_LOOP_DELAY_MS: '600000' });
    const ready = await first.line(/^Supergraph ready at http:\/\/localhost:\d+\/graphql$/);

    const answer = await fetch(ready.replace('Supergraph ready at ', ''), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query: '{ menus(first: 1) { edges { node { name } } } }' }),
    });
    expect(await answer.json()).toMatchObject({ data: { menus: { edges: [{ node: { name: expect.any(String) } }] } } });

    const second = run('start.ts', ['--fresh', '--data', data]);
    expect(await second.ended).toBe(1);
    expect(second.lines.join('\n')).toContain(`process ${String(first.child.pid)}. Stop that one first.`);

    const pidOf = (line: string): number => Number(/\(pid (\d+)\)/.exec(line)?.[1]);
    const killed = pidOf(await first.line(/payment is ready/));
    process.kill(killed, 'SIGKILL');
    await first.line(/payment is restarting: ended with SIGKILL/);
    await first.line(new RegExp(`payment is ready .*\\(pid (?!${String(killed)}\\))`));

    const pids = first.lines.filter((line) => line.includes('(pid ')).map(pidOf);
    expect(pids).toHaveLength(7);
    first.child.kill('SIGINT');
    expect(await first.ended).toBe(0);
    expect(first.lines.at(-1)).toBe('Stopped.');
    expect(pids.map(commandOf)).toEqual(pids.map(() => undefined));
  });

  test('names port and variable when a port that was asked for is taken', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const port = String((server.address() as AddressInfo).port);
    const { ended, lines } = run('start.ts', ['--data', join(folder, 'data')], { ORDER_PORT: port });
    expect(await ended).toBe(1);
    expect(lines.join('\n')).toContain(`Port ${port} is taken, and ORDER_PORT asks for it.`);
    server.close();
  });

  test('stops while it is starting when asked to', async () => {
    const { child, ended, line, lines } = run('start.ts', ['--data', join(folder, 'data')]);
    await line(/NATS is ready/);
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
    const pids = lines.flatMap((one) => /\(pid (\d+)\)/.exec(one)?.[1] ?? []).map(Number);
    expect(pids.map(commandOf)).toEqual(pids.map(() => undefined));
  });

  test('shows its usage', async () => {
    const help = run('start.ts', ['--help']);
    expect(await help.ended).toBe(0);
    expect(help.lines[0]).toMatch(/^usage: npm start/);
    const wrong = run('start.ts', ['--frehs']);
    expect(await wrong.ended).toBe(2);
    expect(wrong.lines.join('\n')).toMatch(/--frehs[^]*usage/);
  });
});

describe('npm run token', () => {
  test('prints a token and nothing else', async () => {
    const { ended, lines } = run('token.ts', [
      '--sub',
      'alice',
      '--scope',
      'orders:read:all  menus:write',
      '--ttl',
      '60',
    ]);
    expect(await ended).toBe(0);
    expect(lines).toHaveLength(1);
    const claims = JSON.parse(Buffer.from(lines[0]?.split('.')[1] ?? '', 'base64url').toString()) as Record<
      string,
      unknown
    >;
    expect(claims).toMatchObject({ sub: 'alice', scope: 'orders:read:all menus:write', iss: 'baedal-development' });
    expect(Number(claims['exp']) - Number(claims['iat'])).toBe(60);
  });

  test.each([[[]], [['--sub', '']], [['--sub', 'alice', '--ttl', 'soon']], [['--subject', 'alice']]])(
    '%j is a problem, told with the usage on standard error',
    async (args) => {
      const { ended, lines } = run('token.ts', args);
      expect(await ended).toBe(2);
      expect(lines.join('\n')).toContain('usage: npm run');
    },
  );
});
