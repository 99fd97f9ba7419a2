// Supervision of a process: readiness, restarts, good order, and what a failing start says.
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { holdFreePort } from './ports.ts';
import { commandOf } from './processes.ts';
import { supervise } from './supervisor.ts';
import type { ProcessEvent, ProcessSpec, SupervisedProcess } from './supervisor.ts';

let folder: string;
let events: ProcessEvent[];
const started: SupervisedProcess[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'baedal-supervisor-'));
  events = [];
});
afterEach(async () => {
  await Promise.all(started.splice(0).map((one) => one.stop()));
  await rm(folder, { recursive: true });
});

/** A process that runs `script` in a shell. */
function shell(script: string, more: Partial<ProcessSpec> = {}): SupervisedProcess {
  const one = supervise({
    name: 'stand-in',
    command: 'sh',
    args: ['-c', script],
    environment: process.env,
    logFile: join(folder, 'stand-in.log'),
    readyWhen: { line: /^ready$/ },
    onEvent: (event) => events.push(event),
    ...more,
  });
  started.push(one);
  return one;
}

const serving = 'echo ready; while :; do sleep 0.05; done';

describe('a supervised process', () => {
  test('is started, ready, and stopped in good order', async () => {
    const one = shell(`trap 'echo bye; exit 0' TERM; ${serving}`);
    await one.start();
    expect(one.state).toBe('ready');
    const pid = one.pid ?? 0;
    expect(commandOf(pid)).toContain('echo ready');
    await one.stop();
    expect(commandOf(pid)).toBeUndefined();
    expect(one).toMatchObject({ state: 'stopped', pid: undefined, restarts: 0 });
    expect(await readFile(join(folder, 'stand-in.log'), 'utf8')).toBe('ready\nbye\n');
    expect(events.map((event) => event.state)).toEqual(['starting', 'starting', 'ready', 'stopping', 'stopped']);
  });

  test('starts again when it is killed, as often as it is killed', async () => {
    const one = shell(serving);
    await one.start();
    for (let count = 1; count <= 3; count++) {
      const before = one.pid;
      await one.kill('SIGKILL');
      await one.ready();
      expect(one.restarts).toBe(count);
      expect(one.pid).not.toBe(before);
    }
    expect(events.find((event) => event.state === 'restarting' && event.pid === undefined)?.detail).toBe(
      'ended with SIGKILL; starts again in 100 ms',
    );
  });

  test('starts again when it ends by itself, whatever its status', async () => {
    const one = shell('echo ready; sleep 0.05; exit 0');
    await one.start();
    const line = await one.line(/^ready$/);
    expect(line).toBe('ready');
    expect(one.restarts).toBeGreaterThanOrEqual(1);
  });

  test('that ends before it was ever ready is not tried again; the error shows what it said', async () => {
    const one = shell('echo "ORDER_PORT must be a number" >&2; exit 2');
    await expect(one.start()).rejects.toThrow(
      /stand-in ended with 2 before it was ready[^]*ORDER_PORT must be a number/,
    );
    expect(one.restarts).toBe(0);
    expect(one.state).toBe('stopped');
  });

  test('that cannot be found is an error at start', async () => {
    await expect(shell('', { command: join(folder, 'nothing') }).start()).rejects.toThrow('before it was ready');
  });

  test('that never becomes ready is ended when the time is over', async () => {
    const one = shell('echo hello; while :; do sleep 0.05; done');
    const told = one.line(/hello/);
    // The time is over when it has said something, however long that takes.
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask', 'Date', 'performance'] });
    try {
      const starting = one.start(500);
      await told;
      jest.advanceTimersByTime(500);
      await expect(starting).rejects.toThrow(/was not ready after 500 ms[^]*hello/);
    } finally {
      jest.useRealTimers();
    }
    expect(one.pid).toBeUndefined();
  });

  test('that does not heed the stop signal is killed when the time is over', async () => {
    const one = shell(`trap '' TERM; ${serving}`, { stopTimeoutMs: 200 });
    await one.start();
    await one.stop();
    expect(events.at(-1)?.detail).toBe('ended with SIGKILL');
  });

  test('that is paused can be stopped', async () => {
    const one = shell(serving);
    await one.start();
    await one.kill('SIGSTOP');
    await one.stop();
    expect(events.at(-1)?.detail).toBe('ended with SIGTERM');
  });

  test('stays down when stopped, and runs again when asked', async () => {
    const one = shell(serving);
    await one.start();
    await one.stop();
    await expect(one.ready()).rejects.toThrow('stand-in is stopped');
    await one.restart();
    expect(one.state).toBe('ready');
  });

  test('may be ready by answering 200 over HTTP', async () => {
    const held = await holdFreePort();
    const script = join(folder, 'server.mjs');
    await writeFile(
      script,
      `import { createServer } from 'node:http';
       let asked = 0;
       createServer((_, response) => response.writeHead(++asked < 3 ? 503 : 200).end()).listen(${String(held.port)}, '127.0.0.1');`,
    );
    const one = shell('', {
      command: process.execPath,
      args: [script],
      readyWhen: { url: `http://127.0.0.1:${String(held.port)}/` },
    });
    await one.start();
    expect(one.state).toBe('ready');
    held.release();
  });
});
