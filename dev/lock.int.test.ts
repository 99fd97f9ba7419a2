// The lock of a data folder: one owner among processes, none of them dead.
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lockFolder, LockedError } from './lock.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'baedal-lock-'));
});
afterEach(() => rm(folder, { recursive: true }));

test('a folder has one owner, until it is given back', async () => {
  const unlock = await lockFolder(folder);
  await expect(lockFolder(folder)).rejects.toThrow(LockedError);
  await expect(lockFolder(folder)).rejects.toMatchObject({ pid: process.pid });
  await unlock();
  await (
    await lockFolder(folder)
  )();
});

test('of many at once one gets it', async () => {
  const results = await Promise.allSettled(Array.from({ length: 8 }, () => lockFolder(folder)));
  expect(results.filter((one) => one.status === 'fulfilled')).toHaveLength(1);
});

test('a process that was killed has it no longer', async () => {
  const script = `await (await import(${JSON.stringify(join(import.meta.dirname, 'lock.ts'))})).lockFolder(${JSON.stringify(folder)});
    console.log('locked'); setInterval(() => {}, 1000);`;
  const holder = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(holder.stdout, 'data');
  await expect(lockFolder(folder)).rejects.toMatchObject({ pid: holder.pid });
  holder.kill('SIGKILL');
  await once(holder, 'close');
  await (
    await lockFolder(folder)
  )();
});

test('neither has a pid that is another program by now, nor a file that makes no sense', async () => {
  await writeFile(join(folder, 'lock'), JSON.stringify({ pid: process.pid, command: 'some other program' }));
  await (
    await lockFolder(folder)
  )();
  await writeFile(join(folder, 'lock'), 'nonsense');
  await (
    await lockFolder(folder)
  )();
});
