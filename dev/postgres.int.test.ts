// The embedded PostgreSQL: quick, private, keeps its data, comes back when killed, and never stays behind.
import { MikroORM } from '@mikro-orm/postgresql';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { linkLibraries } from './postgres-binaries.ts';
import { startPostgres } from './postgres.ts';
import { commandOf } from './processes.ts';
import { eventually } from './testing.ts';

let folder: string;
const opened: (() => Promise<void>)[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'baedal-postgres-'));
});
afterEach(async () => {
  for (const close of opened.splice(0)) await close();
  await rm(folder, { recursive: true });
});

async function start(name = 'postgres', more: { disposable?: boolean; port?: number } = { disposable: true }) {
  const postgres = await startPostgres({ dataDir: join(folder, name), ...more });
  opened.push(postgres.close);
  return postgres;
}

/** Runs one statement on a connection of its own. */
async function query(url: string, statement: string): Promise<Record<string, unknown>[]> {
  const orm = await MikroORM.init({ clientUrl: url, entities: [], discovery: { warnWhenNoEntities: false } });
  try {
    return await orm.em.getConnection().execute(statement);
  } finally {
    await orm.close();
  }
}

describe('the embedded PostgreSQL', () => {
  test('is version 18 in UTF-8 and UTC', async () => {
    const url = (await start()).url('postgres');
    const [row] = await query(
      url,
      `select current_setting('server_version') as version, current_setting('server_encoding') as encoding, current_setting('TimeZone') as zone`,
    );
    expect(row).toEqual({ version: expect.stringMatching(/^18/), encoding: 'UTF8', zone: 'UTC' });
  });

  test('makes each database its own user, who reaches no other', async () => {
    const postgres = await start();
    const [first, second] = await Promise.all(['first', 'second'].map((name) => postgres.createDatabase(name)));
    expect(await query(first ?? '', 'select current_user as me')).toEqual([{ me: 'first' }]);
    await query(first ?? '', 'create table t (id int)');
    await expect(query((second ?? '').replace(/second$/, 'first'), 'select 1')).rejects.toThrow('permission denied');
    await expect(query((first ?? '').replace(/:[^:@]+@/, ':wrong@'), 'select 1')).rejects.toThrow(
      'password authentication failed',
    );
    await expect(postgres.createDatabase('"; drop')).rejects.toThrow('cannot be the name');
  });

  test('keeps its data and passwords over a restart, and making a database again changes nothing', async () => {
    const first = await start('kept', {});
    const url = await first.createDatabase('order');
    await query(url, `create table t as select '김밥' as name`);
    await first.close();
    const second = await start('kept', { port: first.port });
    expect(await second.createDatabase('order')).toBe(url);
    expect(await query(url, 'select * from t')).toEqual([{ name: '김밥' }]);
    expect((await query(url, 'show fsync'))[0]).toEqual({ fsync: 'on' });
  });

  test('comes back on the same port with what was committed when it is killed', async () => {
    const postgres = await start();
    const url = await postgres.createDatabase('order');
    await query(url, 'create table t as select 1 as one');
    await postgres.process.kill('SIGKILL');
    await postgres.process.ready();
    expect(await query(url, 'select * from t')).toEqual([{ one: 1 }]);
    expect(postgres.process.restarts).toBe(1);
  });

  test('runs twice at once, and leaves no file of a disposable one', async () => {
    const [first, second] = await Promise.all([start('a'), start('b')]);
    expect(first.port).not.toBe(second.port);
    await Promise.all([first.close(), second.close()]);
    expect(await readdir(folder)).toEqual([]);
  });

  test('ends when its starter is killed, and can be started again on the same data at once', async () => {
    const dataDir = join(folder, 'orphan');
    const script = `const { startPostgres } = await import(${JSON.stringify(join(import.meta.dirname, 'postgres.ts'))});
      const { process: { pid } } = await startPostgres({ dataDir: ${JSON.stringify(dataDir)}, disposable: true });
      console.log(pid);`;
    const starter = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [said] = (await once(starter.stdout, 'data')) as [Buffer];
    const pid = Number(said.toString());
    expect(commandOf(pid)).toContain(dataDir);
    starter.kill('SIGKILL');
    await start('orphan');
    await eventually(() => Promise.resolve(commandOf(pid) === undefined));
  });

  test('is not stopped by a pid file that a killed server left, though the pid is another program now', async () => {
    const first = await start('stale', {});
    await first.close();
    await writeFile(join(folder, 'stale', 'cluster', 'postmaster.pid'), `${String(process.pid)}\n`);
    expect((await start('stale', {})).process.state).toBe('ready');
  });

  test('cleans up after an initdb that was killed', async () => {
    const dataDir = join(folder, 'half');
    await mkdir(join(dataDir, 'unfinished-1'), { recursive: true });
    await start('half', {});
    expect(await readdir(dataDir)).not.toContain('unfinished-1');
  });
});

describe('library links', () => {
  const links = [{ source: 'native/lib/libx.so.6.1', target: 'native/lib/libx.so.6' }];
  const fakePackage = async (): Promise<string> => {
    const root = join(folder, 'package');
    await mkdir(join(root, 'native', 'lib'), { recursive: true });
    await writeFile(join(root, 'native', 'lib', 'libx.so.6.1'), 'library');
    await writeFile(join(root, 'native', 'pg-symlinks.json'), JSON.stringify(links));
    return root;
  };

  test('are made in the package, once, by many at once', async () => {
    const root = await fakePackage();
    const made = await Promise.all(Array.from({ length: 8 }, () => linkLibraries(root, join(folder, 'unused'))));
    expect(made).toEqual(Array.from({ length: 8 }, () => ({})));
    expect(await readFile(join(root, 'native', 'lib', 'libx.so.6'), 'utf8')).toBe('library');
    await expect(access(join(folder, 'unused'))).rejects.toThrow('ENOENT');
  });

  test('are made elsewhere when the package cannot be written to', async () => {
    const root = await fakePackage();
    const refuse = (): Promise<never> => Promise.reject(Object.assign(new Error('read-only'), { code: 'EROFS' }));
    const environment = await linkLibraries(root, join(folder, 'links'), refuse);
    expect(Object.values(environment)).toEqual([join(folder, 'links')]);
    expect(await readFile(join(folder, 'links', 'libx.so.6'), 'utf8')).toBe('library');
  });
});
