// What others notice while one client of many is stopped with SIGSTOP, and what becomes of that one.
import { setTimeout as pause } from 'node:timers/promises';
import { plainFields } from './bench.ts';
import type { Bench } from './bench.ts';
import type { FrozenAnswer, FrozenRequest } from './frozen-client.ts';
import { clockText, median, percentile, round } from './processes.ts';

const eventsPerSecond = 20;
/** Longer than a client may keep bytes from leaving (15 s by default), so that the frozen one is closed meanwhile. */
const seconds = 20;

/** The p99 of the others in turns: all run, one is frozen, all run, … so that the machine's own noise meets both alike. */
export async function frozen(bench: Bench): Promise<void> {
  const others = bench.small ? 200 : 999;
  const rounds = bench.small ? 1 : 3;
  const [clients, victim] = [await bench.start('./clients.ts'), await bench.start('./frozen-client.ts')];
  const token = await bench.issuer.token({ sub: 'alice' });
  let version = 1;
  await bench.publish('alice', 'hot', version);
  await bench.open(
    clients,
    Array.from({ length: others }, () => ({ token, orders: ['hot'] })),
    plainFields,
  );
  const phase = async (lasting: number): Promise<number> => {
    await clients.ask({ kind: 'reset' });
    const arrived = clients.ask({ kind: 'await', frames: others * eventsPerSecond * lasting });
    for (let sent = 0; sent < eventsPerSecond * lasting; sent += 1) {
      await bench.publish('alice', 'hot', (version += 1), `t=${clockText()}${'.'.repeat(1_000)}`);
      await pause(1000 / eventsPerSecond);
    }
    await arrived;
    const { latencies } = await clients.ask<{ latencies: number[] }>({ kind: 'latencies' });
    return percentile(
      latencies.sort((one, other) => one - other),
      0.99,
    );
  };

  const [running, meanwhile, outcomes] = [[] as number[], [] as number[], [] as FrozenAnswer[]];
  await phase(5);
  for (let turn = 0; turn < rounds; turn += 1) {
    await victim.ask({ kind: 'open', url: bench.router.url, token, orderId: 'hot' } satisfies FrozenRequest);
    running.push(await phase(seconds));
    process.kill(victim.pid, 'SIGSTOP');
    meanwhile.push(await phase(seconds));
    process.kill(victim.pid, 'SIGCONT');
    outcomes.push(await victim.ask<FrozenAnswer>({ kind: 'resume', until: version } satisfies FrozenRequest));
  }
  const [before, after] = [median(running), median(meanwhile)];
  console.log({ running: running.map(round), meanwhile: meanwhile.map(round), frozen: outcomes });
  const movedPercent = round((after / before - 1) * 100);
  const isTyped = outcomes.every(({ closeCode, gapless }) => closeCode === 4411 && gapless);
  const holds = isTyped && movedPercent < 10;
  console.log({ others, p99Ms: round(before), p99MeanwhileMs: round(after), movedPercent, holds });
  if (!holds) process.exitCode = 1;
}
