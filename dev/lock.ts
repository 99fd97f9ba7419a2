// One owner of a folder at a time, among processes.
import { randomUUID } from 'node:crypto';
import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { commandOf } from './processes.ts';

/** Thrown when another process has the folder. */
export class LockedError extends Error {
  override readonly name = 'LockedError';
  readonly pid: number;

  constructor(pid: number, file: string) {
    super(`process ${String(pid)} has it (${file})`);
    this.pid = pid;
  }
}

/**
 * Takes `folder` for this process; returns how to give it back. What a process that is gone had taken is free.
 * @throws LockedError when a living process has it.
 */
export async function lockFolder(folder: string): Promise<() => Promise<void>> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const file = join(folder, 'lock');
  const own = JSON.stringify({ pid: process.pid, command: commandOf(process.pid) });
  for (;;) {
    const unfinished = `${file}-${randomUUID()}`;
    try {
      await writeFile(unfinished, own);
      await link(unfinished, file);
      return () => rm(file, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    } finally {
      await rm(unfinished, { force: true });
    }
    const found = await readFile(file, 'utf8').catch(() => undefined);
    if (found === undefined) continue;
    const holder = readHolder(found);
    // The pid alone could be another program's by now.
    if (holder !== undefined && commandOf(holder.pid) === holder.command) throw new LockedError(holder.pid, file);
    await removeStale(file, found);
  }
}

function readHolder(text: string): { pid: number; command: string } | undefined {
  try {
    return JSON.parse(text) as { pid: number; command: string };
  } catch {
    return undefined;
  }
}

/** Removes the lock if it is still the one that was found, and not one that another process has taken since. */
async function removeStale(file: string, found: string): Promise<void> {
  const aside = `${file}-${randomUUID()}`;
  try {
    await rename(file, aside);
    if ((await readFile(aside, 'utf8')) !== found) await link(aside, file);
  } catch (error) {
    if (!['ENOENT', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  } finally {
    await rm(aside, { force: true });
  }
}
