// A real nats-server of one's own on the loopback interface, with JetStream: supervised, gone when this process is gone.
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder } from './folders.ts';
import { findNatsServer } from './nats-server.ts';
import { holdFreePort } from './ports.ts';
import { startOrCleanUp, supervise } from './supervisor.ts';
import type { ProcessEvent, SupervisedProcess } from './supervisor.ts';

export interface NatsOptions {
  /** Where streams are kept, in `jetstream`; made when it is not there. */
  readonly storeDir: string;
  /** Default: a free one. */
  readonly port?: number | undefined;
  /** Lines for the server's configuration file. */
  readonly configExtra?: string | undefined;
  /** For tests: does not wait for the disk (a killed server loses nothing), and `close` removes `storeDir`. */
  readonly disposable?: boolean | undefined;
  /** Default: `nats.log` in `storeDir`. */
  readonly logFile?: string | undefined;
  readonly onEvent?: ((event: ProcessEvent) => void) | undefined;
  /** Told what takes a while. */
  readonly say?: ((sentence: string) => void) | undefined;
}

export interface Nats {
  readonly port: number;
  readonly url: string;
  readonly storeDir: string;
  /** To kill, stop and start it. It starts again by itself, on the same port and store, when it dies. */
  readonly process: SupervisedProcess;
  /** Removes every stream; only while the server is stopped. */
  wipe(): Promise<void>;
  /** Ends it for good. */
  close(): Promise<void>;
}

/** Starts nats-server and resolves when it takes connections. */
export async function startNats(options: NatsOptions): Promise<Nats> {
  const { storeDir, disposable = false } = options;
  const server = await findNatsServer({
    cacheFolder: join(cacheFolder, 'nats-server'),
    environment: process.env,
    say: options.say,
  });
  await mkdir(storeDir, { recursive: true, mode: 0o700 });
  const held = options.port === undefined ? await holdFreePort() : undefined;
  const port = options.port ?? held?.port ?? 0;
  const configFile = join(storeDir, 'nats-server.conf');

  // By default a write is acknowledged up to two minutes before it is synced. Servers before 2.10 (Debian 12 has 2.9) know no other
  // way: there, what a power failure takes from the streams is published again from the outboxes.
  const [major, minor] = server.version;
  const syncAlways = !disposable && (major > 2 || (major === 2 && minor >= 10));
  const config = [
    'server_name: "baedal"',
    `listen: "127.0.0.1:${String(port)}"`,
    `jetstream { store_dir: ${JSON.stringify(storeDir)}${syncAlways ? ', sync_interval: always' : ''} }`,
    options.configExtra ?? '',
  ];

  const nats = supervise({
    name: 'nats',
    command: server.path,
    args: ['-c', configFile],
    environment: process.env,
    logFile: options.logFile ?? join(storeDir, 'nats.log'),
    readyWhen: { line: /Server is ready/ },
    // SIGTERM has it end with 1.
    stopSignal: 'SIGINT',
    deathSignal: 'SIGINT',
    prepare: async () => {
      await mkdir(storeDir, { recursive: true, mode: 0o700 });
      await writeFile(configFile, config.join('\n'));
    },
    onEvent: options.onEvent,
  });
  const close = await startOrCleanUp(nats, async () => {
    held?.release();
    if (disposable) await rm(storeDir, { recursive: true, force: true });
  });
  return {
    port,
    url: `nats://127.0.0.1:${String(port)}`,
    storeDir,
    process: nats,
    async wipe() {
      if (nats.state !== 'stopped') throw new Error('stop the server before wiping its store');
      await rm(join(storeDir, 'jetstream'), { recursive: true, force: true });
    },
    close,
  };
}
