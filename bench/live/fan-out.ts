// One order with many watchers: frames per second of the router beside a plain `ws` broadcast of the same bytes.
import { plainFields } from './bench.ts';
import type { Bench } from './bench.ts';
import { cpuMs, round } from './processes.ts';
import type { Child } from './processes.ts';

/** Frames to the watchers of one order, against a plain broadcast of the same bytes, in turns. */
export async function fanOut(bench: Bench): Promise<void> {
  const watchers = bench.small ? 1_000 : 5_000;
  const events = bench.small ? 50 : 150;
  const clients = await bench.start('./clients.ts');
  const plainClients = await bench.start('./clients.ts');
  const plain = await bench.start('./plain-ws.ts');
  const token = await bench.issuer.token({ sub: 'alice' });
  await bench.publish('alice', 'hot', 1);
  await bench.open(
    clients,
    Array.from({ length: watchers }, () => ({ token, orders: ['hot'] })),
    plainFields,
  );
  await plainClients.ask({ kind: 'openPlain', url: await plain.ask<string>({ kind: 'url' }), count: watchers });

  let version = 1;
  const bytes = `{"id":"0","type":"next","payload":${JSON.stringify({ data: { orderStatusChanged: { status: 'PAID', version: 100, reason: null } } })}}`;
  const runs = { router: [] as Rate[], plain: [] as Rate[] };
  for (let turn = 0; turn < 4; turn += 1) {
    runs.router.push(
      await rate(bench.router.pid, clients, watchers, events, async () =>
        bench.publish('alice', 'hot', (version += 1)),
      ),
    );
    runs.plain.push(
      await rate(plain.pid, plainClients, watchers, events, () => plain.ask<undefined>({ kind: 'broadcast', bytes })),
    );
  }
  // The first turn warms both up.
  const best = (all: readonly Rate[]): Rate =>
    all.slice(1).reduce((one, other) => (other.cpuMicroseconds < one.cpuMicroseconds ? other : one));
  const [ours, theirs] = [best(runs.router), best(runs.plain)];
  console.log({
    watchers,
    events,
    router: ours,
    plainWs: theirs,
    framesRatio: round(ours.framesPerSecond / theirs.framesPerSecond),
    cpuRatio: round(theirs.cpuMicroseconds / ours.cpuMicroseconds),
  });
}

export interface Rate {
  readonly framesPerSecond: number;
  /** CPU time of the server for each frame. */
  readonly cpuMicroseconds: number;
}

/** Frames per second of a server whose clients live in `clients`: each event is sent when all have the one before. */
export async function rate(
  pid: number,
  clients: Child,
  watchers: number,
  events: number,
  emit: () => Promise<unknown>,
): Promise<Rate> {
  await clients.ask({ kind: 'reset' });
  const [started, cpu] = [performance.now(), cpuMs(pid)];
  for (let event = 0; event < events; event += 1) {
    const arrived = clients.ask({ kind: 'await', frames: watchers });
    await emit();
    await arrived;
  }
  const frames = watchers * events;
  return {
    framesPerSecond: Math.round((frames / (performance.now() - started)) * 1000),
    cpuMicroseconds: round(((cpuMs(pid) - cpu) * 1000) / frames),
  };
}
