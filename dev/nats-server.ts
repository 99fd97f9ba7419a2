// Finds a nats-server, which no npm package brings: one that is installed, or Debian's package unpacked without installing it.
import { access, constants, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { run } from './processes.ts';

export interface NatsServer {
  readonly path: string;
  /** Major and minor version. */
  readonly version: readonly [number, number];
}

export interface NatsServerSearch {
  /** Keeps what is downloaded. */
  readonly cacheFolder: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Told what takes a while. */
  readonly say?: ((sentence: string) => void) | undefined;
}

/**
 * In this order: the path in NATS_SERVER, `nats-server` on PATH, one unpacked before, Homebrew's, Debian's by `apt-get download`.
 * @throws Error that says how to get one.
 */
export async function findNatsServer(search: NatsServerSearch): Promise<NatsServer> {
  const { environment, cacheFolder } = search;
  const asked = environment['NATS_SERVER'];
  if (asked !== undefined && asked !== '') {
    if (!(await isExecutable(asked))) throw new Error(`NATS_SERVER is "${asked}", and no program is there`);
    return withVersion(asked);
  }
  const unpacked = join(cacheFolder, 'usr', 'sbin', 'nats-server');
  const found =
    (await onPath('nats-server', environment)) ??
    (await firstExecutable([unpacked, ...homebrew(environment)])) ??
    ((await fetchFromDebian(search)) ? unpacked : undefined);
  if (found === undefined) {
    throw new Error(
      'There is no nats-server here. Install one (Debian, Ubuntu: apt-get install nats-server; macOS: brew install nats-server), ' +
        'or set NATS_SERVER to its path, or NATS_URL to a running server.',
    );
  }
  return withVersion(found);
}

/** Downloads and unpacks the package, without root and without installing anything. Two processes may do it at once. */
async function fetchFromDebian({ cacheFolder, environment, say }: NatsServerSearch): Promise<boolean> {
  for (const tool of ['apt-get', 'dpkg-deb']) {
    if ((await onPath(tool, environment)) === undefined) return false;
  }
  say?.('fetching nats-server with apt-get download (once)');
  await mkdir(join(cacheFolder, '..'), { recursive: true });
  const folder = await mkdtemp(`${cacheFolder}-`);
  try {
    const download = (options: readonly string[]) => apt([...options, 'download', 'nats-server'], folder, environment);
    try {
      await download([]);
    } catch {
      // No package lists, or old ones: have lists of one's own, which takes no root either.
      say?.('fetching the package lists first');
      const [lists, cache] = [join(folder, 'lists'), join(folder, 'cache')];
      await mkdir(join(lists, 'partial'), { recursive: true });
      await mkdir(join(cache, 'archives', 'partial'), { recursive: true });
      const own = ['-o', `Dir::State::lists=${lists}`, '-o', `Dir::Cache=${cache}`, '-o', 'Acquire::Languages=none'];
      await apt([...own, 'update'], folder, environment);
      await download(own);
    }
    const archive = (await readdir(folder)).find((name) => name.endsWith('.deb'));
    if (archive === undefined) return false;
    const tree = join(folder, 'tree');
    await run({
      command: 'dpkg-deb',
      args: ['-x', join(folder, archive), tree],
      environment,
      deathSignal: 'SIGKILL',
    });
    await rename(tree, cacheFolder).catch((error: unknown) => {
      // Another process was faster.
      if (!['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    });
    return true;
  } catch (error) {
    say?.(`that failed: ${(error as Error).message}`);
    return false;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function apt(args: readonly string[], workingDirectory: string, environment: NodeJS.ProcessEnv): Promise<void> {
  const sandbox = ['-o', `APT::Sandbox::User=${process.getuid?.() === 0 ? 'root' : ''}`];
  await run({
    command: 'apt-get',
    args: ['-q', ...sandbox, ...args],
    workingDirectory,
    environment,
    deathSignal: 'SIGKILL',
  });
}

function homebrew({ HOMEBREW_PREFIX }: NatsServerSearch['environment']): string[] {
  const prefixes = [HOMEBREW_PREFIX, '/opt/homebrew', '/usr/local', '/home/linuxbrew/.linuxbrew'];
  return prefixes.flatMap((prefix) => (prefix === undefined ? [] : [join(prefix, 'bin', 'nats-server')]));
}

async function onPath(program: string, { PATH = '' }: NatsServerSearch['environment']): Promise<string | undefined> {
  return firstExecutable(PATH.split(delimiter).map((folder) => join(folder, program)));
}

async function firstExecutable(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) if (await isExecutable(path)) return path;
  return undefined;
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

async function withVersion(path: string): Promise<NatsServer> {
  const said = await run({ command: path, args: ['--version'], environment: process.env, deathSignal: 'SIGKILL' });
  const [, major = '0', minor = '0'] = /v?(\d+)\.(\d+)/.exec(said) ?? [];
  return { path, version: [Number(major), Number(minor)] };
}
