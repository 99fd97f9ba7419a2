// The files of a PostgreSQL server: made by initdb, or copied from a template that initdb made once.
import { randomBytes, randomUUID } from 'node:crypto';
import { access, lchown, mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PostgresBinaries } from './postgres-binaries.ts';
import { isRoot, ownerOfUnprivileged, run } from './processes.ts';

/** Makes `cluster` and `password` (of the superuser `postgres`) in `folder`. Killed in between, it leaves no half cluster. */
export async function initialise(binaries: PostgresBinaries, folder: string, more: readonly string[]): Promise<void> {
  const password = join(folder, 'password');
  const unfinished = join(folder, `unfinished-${randomUUID()}`);
  await removeUnfinished(folder);
  await mkdir(unfinished, { recursive: true, mode: 0o700 });
  await writeFile(password, randomBytes(24).toString('base64url'), { mode: 0o600 });
  await giveToServer(unfinished);
  await giveToServer(password);
  await run({
    command: binaries.initdb,
    args: [
      ...['-D', unfinished, '--username=postgres', `--pwfile=${password}`, '--auth=scram-sha-256'],
      // The same order of strings on every machine, whatever locales it has.
      ...['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'],
      ...['-c', 'timezone=UTC', '-c', 'log_timezone=UTC', ...more],
    ],
    environment: serverEnvironment(binaries),
    refusesRoot: true,
    deathSignal: 'SIGKILL',
  });
  await rename(unfinished, join(folder, 'cluster'));
}

/** As `initialise`, in a tenth of the time from the second call on. The template is in `cacheFolder`, one for each version. */
export async function copyTemplate(binaries: PostgresBinaries, cacheFolder: string, folder: string): Promise<void> {
  const template = join(cacheFolder, `postgres-${binaries.version}`);
  if (!(await exists(template))) {
    const unfinished = `${template}-${randomUUID()}`;
    await mkdir(unfinished, { recursive: true, mode: 0o700 });
    try {
      await initialise(binaries, unfinished, ['--no-sync', '--wal-segsize=1']);
      await rename(unfinished, template);
    } catch (error) {
      await rm(unfinished, { recursive: true, force: true });
      // Another process was faster.
      if (!(await exists(template))) throw error;
    }
  }
  await run({
    command: 'cp',
    args: ['-Rp', join(template, 'password'), join(template, 'cluster'), folder],
    environment: process.env,
    deathSignal: 'SIGKILL',
  });
}

/** Lets the server own its files, where it is another user than this process. */
export async function giveToServer(path: string): Promise<void> {
  if (!isRoot()) return;
  const owner = ownerOfUnprivileged();
  const found = await stat(path);
  if (found.uid === owner) return;
  const below = found.isDirectory() ? await readdir(path, { recursive: true }) : [];
  for (const name of [...below.map((one) => join(path, one)), path]) await lchown(name, owner, owner);
}

/** The environment of the server's programs. None of this process's own `PG…` variables reach it. */
export function serverEnvironment(binaries: PostgresBinaries): Record<string, string | undefined> {
  const { PATH, TMPDIR } = process.env;
  return { PATH, TMPDIR, LC_ALL: 'C', TZ: 'UTC', ...binaries.environment };
}

async function removeUnfinished(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (name.startsWith('unfinished-')) await rm(join(folder, name), { recursive: true, force: true });
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
