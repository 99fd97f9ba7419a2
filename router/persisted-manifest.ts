// Reads a list of persisted operations: Apollo's persisted query manifest, or a plain map from id to text as code generators write it.
import { parse } from 'graphql';
import { z } from 'zod';

const text = z.string().min(1);
const manifest = z.object({
  format: z.literal('apollo-persisted-query-manifest'),
  version: z.literal(1),
  operations: z.array(z.object({ id: text, body: text })),
});
const plainMap = z.record(text, text);

/** Texts of operations by id. */
export type PersistedList = ReadonlyMap<string, string>;

/** @throws Error saying what is wrong, and where in the file */
export function readPersistedList(json: string): PersistedList {
  const value: unknown = JSON.parse(json);
  const isManifest = typeof value === 'object' && value !== null && 'format' in value;
  const parsed = isManifest ? manifest.safeParse(value) : plainMap.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const place = issue === undefined || issue.path.length === 0 ? 'the file' : issue.path.join('.');
    throw new Error(`${place}: ${issue?.message ?? 'is not valid'}`);
  }
  const entries = isManifest
    ? manifest.parse(value).operations.map(({ id, body }) => [id, body] as const)
    : Object.entries(plainMap.parse(value));
  const list = new Map<string, string>();
  for (const [id, body] of entries) {
    if ((list.get(id) ?? body) !== body) throw new Error(`operation ${id} is there twice, with different texts`);
    try {
      parse(body);
    } catch (error) {
      throw new Error(`operation ${id}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    }
    list.set(id, body);
  }
  return list;
}
