// Carries out a schedule of faults, each at its time, and mends everything at the end.
import { readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import type { SupervisedProcess } from '../../dev/supervisor.ts';
import type { Fault, FaultKind } from './schedule.ts';
import type { World } from './world.ts';

export interface Injection {
  /** Faults that have begun, by kind. */
  readonly counts: ReadonlyMap<FaultKind, number>;
  /** What goes on now. */
  readonly current: ReadonlySet<Fault>;
  /** Resolves when the last fault is over. */
  readonly done: Promise<void>;
}

/** Starts. Faults of one target take their turns; those of different targets overlap. */
export function injectFaults(world: World, faults: readonly Fault[], onFault: (fault: Fault) => void): Injection {
  const counts = new Map<FaultKind, number>();
  const current = new Set<Fault>();
  const turns = new Map<string, Promise<void>>();
  const startedAt = performance.now();
  const done = Promise.all(
    faults.map(async (fault) => {
      await pause(Math.max(0, fault.atMs - (performance.now() - startedAt)));
      const turn = (turns.get(fault.target) ?? Promise.resolve()).then(async () => {
        counts.set(fault.kind, (counts.get(fault.kind) ?? 0) + 1);
        current.add(fault);
        onFault(fault);
        await carryOut(world, fault);
        current.delete(fault);
      });
      turns.set(fault.target, turn);
      await turn;
    }),
  ).then(() => undefined);
  return { counts, current, done };
}

async function carryOut(world: World, { kind, target, durationMs, delayMs }: Fault): Promise<void> {
  const process = world.processes.get(target);
  const link = world.links.get(target);
  if (kind === 'wipe') {
    await world.nats.process.stop();
    await world.nats.wipe();
    await pause(durationMs);
    await world.nats.process.start();
  } else if (process !== undefined) {
    if (kind === 'kill') {
      await process.kill('SIGKILL');
    } else if (kind === 'pause') {
      await signalAll(process, 'SIGSTOP');
      await pause(durationMs);
      await signalAll(process, 'SIGCONT');
    } else {
      await process.stop();
      await pause(durationMs);
      await process.start();
    }
  } else if (link !== undefined) {
    if (kind === 'drop') link.drop();
    if (kind === 'delay') link.delay(delayMs);
    if (kind === 'cut') link.cut(true);
    await pause(durationMs);
    link.delay(0);
    link.cut(false);
  } else {
    throw new Error(`there is no ${target}`);
  }
}

/** To a process and its children: PostgreSQL has one for each connection. */
async function signalAll(target: SupervisedProcess, signal: 'SIGSTOP' | 'SIGCONT'): Promise<void> {
  const { pid } = target;
  if (pid === undefined) return;
  await target.kill(signal);
  const children = await readFile(`/proc/${String(pid)}/task/${String(pid)}/children`, 'utf8').catch(() => '');
  for (const child of children.split(' ').filter(Boolean)) {
    try {
      process.kill(Number(child), signal);
    } catch {
      // It ended meanwhile.
    }
  }
}
