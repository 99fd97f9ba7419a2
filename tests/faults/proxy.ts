// A small TCP proxy to make a network bad: it drops connections, delays what passes, and lets nothing pass at all.
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

export interface Proxy {
  readonly port: number;
  /** Where connections go from now on: to each in turn, and past one that refuses. */
  setTargets(ports: readonly number[]): void;
  /** Breaks every connection that is open now. */
  drop(): void;
  /** Every byte takes this long, each way. 0: none. */
  delay(milliseconds: number): void;
  /** While true nothing passes and nothing is refused, as when a cable is cut. */
  cut(isCut: boolean): void;
  close(): Promise<void>;
}

/** Starts a proxy on a free port of the loopback interface. */
export async function startProxy(targets: readonly number[] = []): Promise<Proxy> {
  let targetPorts = targets;
  let turn = 0;
  let delayMs = 0;
  let healed: PromiseWithResolvers<void> | undefined;
  const sockets = new Set<Socket>();

  const server = createServer({ noDelay: true }, (client) => {
    track(client);
    client.pause();
    reach().then(
      (target) => {
        if (client.destroyed) return void target.destroy();
        forward(client, target);
        forward(target, client);
      },
      () => client.destroy(),
    );
  });

  const track = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => sockets.delete(socket));
  };

  const reach = async (): Promise<Socket> => {
    turn += 1;
    for (const index of targetPorts.keys()) {
      const port = targetPorts[(turn + index) % targetPorts.length] ?? 0;
      const socket = connect({ port, host: '127.0.0.1', noDelay: true });
      track(socket);
      const connected = await new Promise<boolean>((resolve) => {
        socket.once('connect', () => resolve(true));
        socket.once('close', () => resolve(false));
      });
      if (connected) return socket;
    }
    throw new Error('no target takes connections');
  };

  /** Passes bytes on in order. Without delay or cut it writes at once, as the proxy is there all the time. */
  const forward = (from: Socket, to: Socket): void => {
    let queue = Promise.resolve();
    let queued = 0;
    const late = (act: () => void): void => {
      const due = performance.now() + delayMs;
      queued += 1;
      queue = queue.then(async () => {
        const left = due - performance.now();
        if (left > 0) await pause(left);
        while (healed !== undefined) await healed.promise;
        queued -= 1;
        act();
      });
    };
    const write = (chunk: Buffer): void => {
      if (to.destroyed || to.write(chunk)) return;
      from.pause();
      to.once('drain', () => from.resume());
    };
    const isDirect = (): boolean => queued === 0 && delayMs === 0 && healed === undefined;
    from.on('data', (chunk: Buffer) => (isDirect() ? write(chunk) : late(() => write(chunk))));
    from.once('end', () => (isDirect() ? to.end() : late(() => to.end())));
    from.once('close', () => (isDirect() ? to.destroy() : late(() => to.destroy())));
    from.resume();
  };

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    setTargets(ports) {
      targetPorts = ports;
    },
    drop() {
      for (const socket of sockets) socket.resetAndDestroy();
    },
    delay(milliseconds) {
      delayMs = milliseconds;
    },
    cut(isCut) {
      if (isCut) return void (healed ??= Promise.withResolvers());
      healed?.resolve();
      healed = undefined;
    },
    async close() {
      healed?.resolve();
      healed = undefined;
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
