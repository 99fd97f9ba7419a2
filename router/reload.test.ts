// Going over to another supergraph, step by step: what is planned before the switch, and what a refusal leaves as it was.
import { describe, expect, test } from '@jest/globals';
import { composeSupergraph } from '../schema/compose.ts';
import { createLog } from '../service/log.ts';
import { unlimited } from './limits.ts';
import { createOperations } from './operations.ts';
import { createReloads } from './reload.ts';
import type { ReloadOutcome } from './reload.ts';
import { loadSupergraph, loadSupergraphMeanwhile } from './supergraph.ts';

const supergraphSdl = (fields: string): string =>
  composeSupergraph([
    {
      name: 'one',
      url: 'http://one',
      sdl: `extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key"]) type Query { ${fields} }`,
    },
  ]).supergraphSdl;
const first = supergraphSdl('a: Int b: Int');
const second = supergraphSdl('a: Int c: Int');
const third = supergraphSdl('a: Int d: Int');

function reloading() {
  let present = loadSupergraph(first);
  const operations = createOperations({ limits: unlimited, introspection: false, cacheEntries: 10 });
  const outcomes: ReloadOutcome[] = [];
  const served: string[] = [];
  let refuseReplace = false;
  const reloads = createReloads({
    present: () => present,
    load: (sdl) => loadSupergraphMeanwhile(sdl),
    operations,
    warmOperations: 10,
    replace(next) {
      if (refuseReplace) throw new Error('no');
      present = next;
      served.push(next.sdl);
    },
    onOutcome: (outcome) => outcomes.push(outcome),
    log: createLog('test', 'silent'),
  });
  return { reloads, operations, outcomes, served, present: () => present, refuseReplace: () => (refuseReplace = true) };
}

describe('a new supergraph', () => {
  test('takes over with the used operations planned', async () => {
    const { reloads, operations, present } = reloading();
    operations.prepare(present(), '{ a }', undefined);
    operations.prepare(present(), '{ b }', undefined);
    expect(await reloads.offer(second)).toBe('switched');
    expect(present().sdl).toBe(second);
    // `{ b }` does not fit any more.
    expect(operations.mostUsed(present(), 10)).toEqual([{ source: '{ a }', operationName: undefined }]);
  });

  test('is loaded as it would be in one go', async () => {
    const { id, subgraphs, schema } = await loadSupergraphMeanwhile(second);
    const whole = loadSupergraph(second);
    expect({ id, subgraphs }).toEqual({ id: whole.id, subgraphs: whole.subgraphs });
    expect(schema.getQueryType()?.getFields()).toHaveProperty('c');
  });

  test('that is the present one changes nothing', async () => {
    const { reloads, served, outcomes } = reloading();
    expect(await reloads.offer(first)).toBe('unchanged');
    expect([served, outcomes]).toEqual([[], []]);
  });

  test('is passed over when a newer one is there before its turn', async () => {
    const { reloads, served } = reloading();
    expect(await Promise.all([reloads.offer('broken'), reloads.offer(second), reloads.offer(third)])).toEqual([
      'unchanged',
      'unchanged',
      'switched',
    ]);
    expect(served).toEqual([third]);
  });
});

describe('a broken supergraph', () => {
  test.each([
    ['no SDL', 'type Query {'],
    ['a schema that is no supergraph', 'type Query { a: Int }'],
    ['an empty file', ''],
  ])('(%s) is refused, said so, and forgotten with the next good one', async (_name, sdl) => {
    const { reloads, outcomes, present } = reloading();
    expect(await reloads.offer(sdl)).toBe('refused');
    expect(present().sdl).toBe(first);
    expect(reloads.refusedAt()).toBeInstanceOf(Date);
    expect(await reloads.offer(first)).toBe('unchanged');
    expect(reloads.refusedAt()).toBeUndefined();
    expect(outcomes).toEqual(['refused']);
  });

  test('may also be refused at the switch', async () => {
    const { reloads, present, refuseReplace } = reloading();
    refuseReplace();
    expect(await reloads.offer(second)).toBe('refused');
    expect(present().sdl).toBe(first);
  });
});
