// What the parts of a stack use of the processor, as Linux counts it: PostgreSQL with its server processes, NATS, ours, and this one.
import { readdirSync, readFileSync } from 'node:fs';
import type { Stack } from '../../dev/stack.ts';

/** Milliseconds of processor time by part, since each was started. */
export type ProcessorTime = ReadonlyMap<string, number>;

const millisecondsPerTick = 10;

/** Reads how much each part has used so far. */
export function processorTime(stack: Stack): ProcessorTime {
  const roots: readonly (readonly [string, number | undefined])[] = [
    ...Object.entries(stack.instances).flatMap(([name, list]) => list.map(({ pid }) => [name, pid] as const)),
    ['postgres', stack.postgres?.process.pid],
    ['nats', stack.nats?.process.pid],
    ['load', process.pid],
  ];
  const all = readProcesses();
  const used = new Map<string, number>();
  for (const [name, pid] of roots) {
    const own = pid === undefined ? undefined : all.get(pid);
    if (own === undefined) continue;
    // Only PostgreSQL has processes of its own; the load's are the other parts.
    const children = name === 'postgres' ? [...all.values()].filter(({ parent }) => parent === pid) : [];
    const ticks = [own, ...children].reduce((sum, one) => sum + one.ticks, 0);
    used.set(name, (used.get(name) ?? 0) + ticks * millisecondsPerTick);
  }
  return used;
}

interface ProcessRow {
  readonly parent: number;
  readonly ticks: number;
}

function readProcesses(): Map<number, ProcessRow> {
  const rows = new Map<number, ProcessRow>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      // The name in parentheses may hold spaces.
      const fields = readFileSync(`/proc/${name}/stat`, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ')
        .map(Number);
      const [, parent = 0] = fields;
      // Of itself in user and kernel mode, and of its ended children.
      const ticks = fields.slice(11, 15).reduce((sum, one) => sum + one, 0);
      rows.set(Number(name), { parent, ticks });
    } catch {
      // It has ended meanwhile.
    }
  }
  return rows;
}
