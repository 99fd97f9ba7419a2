// One request for several fetches of an execution that ask the same of different objects: each distinct representation is sent
// once. The answer is taken apart again, so that each fetch sees what it would have got alone.
import type { FetchNode } from '@apollo/query-planner';
import { copy, type DataObject } from './data.ts';
import type { SubgraphError, SubgraphRequest, SubgraphResponse } from './execute.ts';
import { representationKey } from './representation.ts';

/** A request that waits for its answer. */
export interface Pending {
  readonly node: FetchNode;
  readonly request: SubgraphRequest;
  readonly answer: PromiseWithResolvers<SubgraphResponse>;
}

const texts = new WeakMap<FetchNode, string>();

/** The text of a fetch without the name that the planner numbers: the same for fetches that ask the same. */
export function textWithoutName(node: FetchNode): string {
  let text = texts.get(node);
  if (text === undefined) {
    const { operation, operationName } = node;
    text = operationName === undefined ? operation : operation.replace(` ${operationName}`, '');
    texts.set(node, text);
  }
  return text;
}

/** Makes one of several that have the same text and, as they are of one execution, the same variables. */
export function unite(group: readonly Pending[]): Pending {
  const [first] = group as [Pending];
  if (group.length === 1) return first;
  const representations: DataObject[] = [];
  const known = new Map<string, number>();
  const parts = group.map(({ request }) =>
    (request.variables['representations'] as readonly DataObject[]).map((representation) => {
      const key = representationKey(representation);
      const at = known.get(key) ?? representations.length;
      if (at === representations.length) {
        known.set(key, at);
        representations.push(representation);
      }
      return at;
    }),
  );
  const answer = Promise.withResolvers<SubgraphResponse>();
  answer.promise.then(
    (response) => {
      partsOf(response, parts, representations.length).forEach((part, at) => group[at]?.answer.resolve(part));
    },
    (error: unknown) => {
      for (const one of group) one.answer.reject(error);
    },
  );
  return {
    ...first,
    request: { ...first.request, variables: { ...first.request.variables, representations } },
    answer,
  };
}

/** What each fetch would have been answered. An error of the whole request belongs to those that lack something, else to the first. */
function partsOf(
  { data, errors = [] }: SubgraphResponse,
  parts: readonly (readonly number[])[],
  count: number,
): SubgraphResponse[] {
  const given = data?.['_entities'];
  const entities = Array.isArray(given) && given.length === count ? (given as unknown[]) : undefined;
  const taken = new Set<number>();
  // An answer belongs to the fetch that gets it, which may change it.
  const take = (at: number): unknown => {
    if (taken.has(at)) return copy(entities?.[at]);
    taken.add(at);
    return entities?.[at];
  };
  const lacks = parts.map((part) => part.some((at) => (entities?.[at] ?? null) === null));
  const firstLacking = Math.max(lacks.indexOf(true), 0);
  return parts.map((part, index) => {
    const own = errors.flatMap((error): SubgraphError[] => {
      const [field, at, ...rest] = Array.isArray(error.path) ? (error.path as (string | number)[]) : [];
      if (field !== '_entities' || typeof at !== 'number') {
        return lacks[index] === true || index === firstLacking ? [error] : [];
      }
      const own = part.indexOf(at);
      return own < 0 ? [] : [{ ...error, path: [field, own, ...rest] }];
    });
    return {
      data: data ? { _entities: entities && part.map(take) } : null,
      ...(own.length > 0 ? { errors: own } : {}),
    };
  });
}
