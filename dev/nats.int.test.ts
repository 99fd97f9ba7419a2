// The embedded NATS: JetStream that survives a kill, a wiped store, and no process left behind.
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { connect } from 'nats';
import type { NatsConnection } from 'nats';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findNatsServer } from './nats-server.ts';
import { startNats } from './nats.ts';
import type { Nats, NatsOptions } from './nats.ts';
import { commandOf } from './processes.ts';
import { eventually } from './testing.ts';

let folder: string;
const opened: (() => Promise<void>)[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'baedal-nats-'));
});
afterEach(async () => {
  for (const close of opened.splice(0)) await close();
  await rm(folder, { recursive: true });
});

async function start(more: Partial<NatsOptions> = {}): Promise<Nats> {
  const nats = await startNats({ storeDir: join(folder, 'store'), ...more });
  opened.push(nats.close);
  return nats;
}

async function withConnection<T>(url: string, work: (connection: NatsConnection) => Promise<T>): Promise<T> {
  const connection = await connect({ servers: url });
  try {
    return await work(connection);
  } finally {
    await connection.close();
  }
}

const publish = (url: string): Promise<number> =>
  withConnection(url, async (connection) => {
    const manager = await connection.jetstreamManager();
    await manager.streams.add({ name: 'S', subjects: ['s.>'] });
    return (await connection.jetstream().publish('s.1')).seq;
  });
const streams = (url: string): Promise<string[]> =>
  withConnection(url, async (connection) => {
    const manager = await connection.jetstreamManager();
    return (await manager.streams.list().next()).map((one) => `${one.config.name} ${String(one.state.messages)}`);
  });

describe('the embedded NATS', () => {
  test('keeps acknowledged messages when it is killed, and comes back on the same port', async () => {
    const nats = await start();
    await publish(nats.url);
    await nats.process.kill('SIGKILL');
    await nats.process.ready();
    expect(nats.process.restarts).toBe(1);
    expect(await streams(nats.url)).toEqual(['S 1']);
  });

  test('loses everything when its store is wiped, which only a stopped one allows', async () => {
    const nats = await start();
    await publish(nats.url);
    await expect(nats.wipe()).rejects.toThrow('stop the server');
    await nats.process.stop();
    await nats.wipe();
    await nats.process.start();
    expect(await streams(nats.url)).toEqual([]);
  });

  test('takes further configuration', async () => {
    const nats = await start({ configExtra: 'max_payload: 1234', disposable: true });
    expect(await withConnection(nats.url, (connection) => Promise.resolve(connection.info?.max_payload))).toBe(1234);
  });

  test('says which line of a configuration it does not understand', async () => {
    await expect(start({ configExtra: 'no_such_thing: 1' })).rejects.toThrow('no_such_thing');
  });

  test('ends when its starter is killed', async () => {
    const script = `const { startNats } = await import(${JSON.stringify(join(import.meta.dirname, 'nats.ts'))});
      console.log((await startNats({ storeDir: ${JSON.stringify(join(folder, 'orphan'))} })).process.pid);`;
    const starter = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [said] = (await once(starter.stdout, 'data')) as [Buffer];
    const pid = Number(said.toString());
    expect(commandOf(pid)).toContain('nats-server');
    starter.kill('SIGKILL');
    await eventually(() => Promise.resolve(commandOf(pid) === undefined));
  });
});

describe('the search for nats-server', () => {
  const script = (name: string, text: string): Promise<string> => writeProgram(join(folder, name), text);
  async function writeProgram(path: string, text: string): Promise<string> {
    await mkdir(join(path, '..'), { recursive: true });
    await writeFile(path, `#!/bin/sh\n${text}\n`);
    await chmod(path, 0o755);
    return path;
  }
  const search = (environment: Record<string, string>) =>
    findNatsServer({ cacheFolder: join(folder, 'cache', 'nats-server'), environment });

  test('prefers NATS_SERVER, then PATH', async () => {
    const asked = await script('asked', 'echo nats-server: v2.12.1');
    await script('bin/nats-server', 'echo nats-server: v2.9.10');
    const PATH = join(folder, 'bin');
    expect(await search({ NATS_SERVER: asked, PATH })).toEqual({ path: asked, version: [2, 12] });
    expect(await search({ PATH })).toEqual({ path: join(PATH, 'nats-server'), version: [2, 9] });
    await expect(search({ NATS_SERVER: join(folder, 'nothing'), PATH })).rejects.toThrow('NATS_SERVER is');
  });

  test("unpacks Debian's package, with lists of its own when the system's are missing", async () => {
    const bin = join(folder, 'bin');
    // Both as Debian's: a download without lists fails, and so does an update into the system's folders.
    await script(
      'bin/apt-get',
      `case "$*" in
         *lists=*update*) touch "$PWD/updated" ;;
         *lists=*download*) [ -e updated ] && touch nats-server_2.9.10_amd64.deb ;;
         *) echo "Unable to locate package nats-server"; exit 100 ;;
       esac`,
    );
    await script(
      'bin/dpkg-deb',
      `mkdir -p "$3/usr/sbin" && printf '#!/bin/sh\\necho nats-server: v2.9.10\\n' > "$3/usr/sbin/nats-server" && chmod +x "$3/usr/sbin/nats-server"`,
    );
    const PATH = `${bin}:/usr/bin:/bin`;
    const found = { path: join(folder, 'cache', 'nats-server', 'usr', 'sbin', 'nats-server'), version: [2, 9] };
    expect(await Promise.all([search({ PATH }), search({ PATH })])).toEqual([found, found]);
    await rm(join(bin, 'apt-get'));
    expect(await search({ PATH: bin })).toEqual(found);
  });

  test('ends with one line that says what to do', async () => {
    await expect(search({ PATH: join(folder, 'empty') })).rejects.toThrow(
      /apt-get install nats-server.*brew.*NATS_URL/,
    );
  });
});
