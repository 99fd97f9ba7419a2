// A process whose log nobody reads goes on, tells later what is missing, and ends when it is told to.
import { afterEach, expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** Logs 40,000 lines on each message that it gets, and says so. */
const program = `
  import { createLog } from ${JSON.stringify(fileURLToPath(new URL('log.ts', import.meta.url)))};
  import { runProcess } from ${JSON.stringify(fileURLToPath(new URL('lifecycle.ts', import.meta.url)))};
  const log = createLog('test', 'info');
  await runProcess({ log, shutdownTimeoutMs: 60_000 }, async () => {
    process.on('message', (lines) => {
      for (let n = 0; n < lines; n++) log.info('x'.repeat(100));
      process.send('logged');
    });
    process.send('started');
  });`;

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

async function start(): Promise<ChildProcess> {
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', program],
    {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    },
  );
  children.push(child);
  await once(child, 'message');
  return child;
}

async function logs(child: ChildProcess, lines: number): Promise<void> {
  const logged = once(child, 'message');
  child.send(lines);
  await logged;
}

async function endsWith(child: ChildProcess): Promise<unknown> {
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  return (await exited)[0];
}

test('while nobody reads it', async () => {
  const child = await start();
  await logs(child, 40_000);
  await logs(child, 1);
  expect(await endsWith(child)).toBe(0);
});

test('and tells how many lines are missing once it is read', async () => {
  const child = await start();
  await logs(child, 40_000);
  let text = '';
  const told = new Promise<void>((resolve) => {
    child.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      // What waits is written by and by: a line more is asked for until there was room for it.
      if (text.includes('nobody read them"}\n')) resolve();
      else child.send(1);
    });
  });
  await told;
  const { lines, service } = JSON.parse(
    text.split('\n').find((line) => line.includes('are missing')) ?? '{}',
  ) as Record<string, unknown>;
  const whole = text.split('\n').filter((line) => line.includes('xxx')).length;
  expect(service).toBe('test');
  expect(Number(lines)).toBeGreaterThan(10_000);
  expect(whole).toBeGreaterThan(1_000);
  expect(await endsWith(child)).toBe(0);
});

test('after its reader has gone', async () => {
  const child = await start();
  child.stdout?.destroy();
  child.stderr?.destroy();
  await logs(child, 100);
  await logs(child, 100);
  expect(await endsWith(child)).toBe(0);
});
