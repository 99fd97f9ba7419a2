// The watched file on a real file system: every way in which its content changes is noticed, and each change once.
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { watch } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stopClock } from './test-clock.ts';
import { watchTextFile } from './text-file.ts';

let folder: string;
let stop: (() => void) | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'text-file-'));
});
afterEach(async () => {
  stop?.();
  await rm(folder, { recursive: true });
});

/** Watches, and gives what is told one by one. */
function watching(
  path: string,
  content: string,
  pollMs = 600_000,
): { next(): Promise<string>; readonly told: string[] } {
  const told: string[] = [];
  let given = 0;
  let wake: (() => void) | undefined;
  const tell = (one: string): void => {
    told.push(one);
    wake?.();
  };
  stop = watchTextFile({
    path,
    content,
    pollMs,
    onContent: tell,
    onUnreadable: (error) => tell(`unreadable: ${String((error as { code?: string }).code)}`),
  });
  return {
    told,
    async next() {
      while (told.length === given) await new Promise<void>((resolve) => (wake = resolve));
      return told[given++] as string;
    },
  };
}

test('is noticed when it is renamed over, again and again', async () => {
  const path = join(folder, 'supergraph.graphql');
  await writeFile(path, 'one');
  const { next, told } = watching(path, 'one');
  for (const content of ['two', 'three', 'four']) {
    await writeFile(`${path}.new`, content);
    await rename(`${path}.new`, path);
    expect(await next()).toBe(content);
  }
  expect(told).toEqual(['two', 'three', 'four']);
});

test('is noticed when it is written in place, and told once however many writes that takes', async () => {
  using clock = stopClock();
  const path = join(folder, 'supergraph.graphql');
  await writeFile(path, 'one');
  const { next, told } = watching(path, 'none');
  clock.advance(1_000);
  expect(await next()).toBe('one');
  for (let at = 0; at < 20; at++) await writeFile(path, `part ${String(at)}`);
  // Announced, and put off.
  while (clock.timers() === 0) await new Promise(setImmediate);
  clock.advance(1_000);
  expect(await next()).toBe('part 19');
  expect(told).toEqual(['one', 'part 19']);
});

test('is noticed while something else in its folder changes all the time', async () => {
  using clock = stopClock();
  const path = join(folder, 'supergraph.graphql');
  await writeFile(path, 'one');
  const { next } = watching(path, 'one');
  // It hears of each change behind the one that is tested.
  const other = watch(folder);
  await writeFile(`${path}.new`, 'two');
  await rename(`${path}.new`, path);
  for (let at = 0; at < 20; at++) {
    const announced = once(other, 'change');
    await writeFile(join(folder, 'other'), 'x');
    await announced;
    clock.advance(60);
  }
  other.close();
  expect(await next()).toBe('two');
});

test('is noticed when Kubernetes swaps the symlink of its ConfigMap', async () => {
  const version = async (name: string, content: string): Promise<void> => {
    await mkdir(join(folder, name));
    await writeFile(join(folder, name, 'supergraph.graphql'), content);
    await symlink(name, join(folder, '..data_tmp'));
    await rename(join(folder, '..data_tmp'), join(folder, '..data'));
  };
  await version('..2026_01', 'one');
  const path = join(folder, 'supergraph.graphql');
  await symlink(join('..data', 'supergraph.graphql'), path);
  const { next } = watching(path, 'one');
  await version('..2026_02', 'two');
  await rm(join(folder, '..2026_01'), { recursive: true });
  expect(await next()).toBe('two');
  await version('..2026_03', 'three');
  expect(await next()).toBe('three');
});

test('is noticed by looking where the system announces nothing', async () => {
  // The change is in another folder than the one that is watched.
  const elsewhere = join(folder, 'elsewhere');
  await mkdir(elsewhere);
  await mkdir(join(folder, 'here'));
  await writeFile(join(elsewhere, 'target'), 'one');
  const path = join(folder, 'here', 'supergraph.graphql');
  await symlink(join(elsewhere, 'target'), path);
  const { next } = watching(path, 'one', 100);
  await writeFile(join(elsewhere, 'target'), 'two');
  expect(await next()).toBe('two');
});

test('that changed before the watching began is noticed', async () => {
  const path = join(folder, 'supergraph.graphql');
  await writeFile(path, 'two');
  const { next } = watching(path, 'one');
  expect(await next()).toBe('two');
});

test('that is gone is told once, and told again when it is back', async () => {
  const path = join(folder, 'supergraph.graphql');
  await writeFile(path, 'one');
  const { next, told } = watching(path, 'one', 100);
  await rm(path);
  expect(await next()).toBe('unreadable: ENOENT');
  await writeFile(`${path}.new`, 'one');
  await rename(`${path}.new`, path);
  expect(await next()).toBe('one');
  expect(told).toHaveLength(2);
});
