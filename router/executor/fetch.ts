// The Fetch nodes of a plan: what is asked for which objects of the tree, and how the answer is merged into it.
import type { FetchNode } from '@apollo/query-planner';
import { compileMerge, isDataObject, type DataObject, type Merge } from './data.ts';
import type { SubgraphRequest, SubgraphResponse } from './execute.ts';
import { recordErrors } from './failures.ts';
import { contextQueries, readContext } from './context.ts';
import { collect, locate, type CompiledPath } from './path.ts';
import {
  compileRepresentation,
  representationKey,
  type FindBuilder,
  type RepresentationBuilder,
} from './representation.ts';
import { applyRewrites } from './rewrite.ts';
import { textOfBadAnswer, textOfRejection, type ErrorText, type FetchInfo, type Run, type Step } from './run.ts';
import { keysOfFetch } from './selection-keys.ts';
import type { TypeIndex } from './types.ts';

/** What is known of a fetch from its place in the plan. */
export interface FetchPlace {
  readonly path: CompiledPath;
  readonly types: TypeIndex;
  /** Whether other fetches of the plan write below the objects of this one: then no two objects may share a part. */
  readonly isWrittenBelow: boolean;
  /** Whether another fetch may ask the same subgraph at the same moment. */
  readonly isJoinable: boolean;
  /** Whether any other fetch of the plan brings a key to objects of a type at the end of the path. */
  readonly isBrought: (key: string, typename: string) => boolean;
  /** The keys of a mutation's root fields that must not be null; without one of them the mutation has no result. */
  readonly nonNullKeys: readonly string[];
}

interface CompiledFetch extends FetchInfo {
  readonly node: FetchNode;
  readonly place: FetchPlace;
  readonly variableNames: readonly string[];
  readonly merge: Merge;
  readonly queryWith: (contextVariables: DataObject) => string | undefined;
}

/** The objects that one request is about, and what is sent for them. */
interface Batch {
  readonly representations: DataObject[];
  readonly objects: DataObject[];
  /** For each object, which representation it is. A representation is first used in the order of the list. */
  readonly indexes: number[];
}

/** Compiles a fetch, whether of root fields or of entities. */
export function compileFetch(node: FetchNode, place: FetchPlace): Step {
  const keys = keysOfFetch(node);
  const fetch: CompiledFetch = {
    node,
    place,
    path: place.path,
    isEntityFetch: node.requires !== undefined,
    keys,
    aliases: aliasesOf(node),
    variableNames: node.variableUsages ?? [],
    merge: mergeOf(node, place, keys),
    queryWith: contextQueries(node),
  };
  if (!node.requires) return (run) => fetchRoot(run, fetch);
  const find = compileRepresentation(node.requires, { ...place, subgraph: node.serviceName });
  if (node.contextRewrites) return (run) => fetchWithContext(run, fetch, find);
  return (run) => {
    const batch = batchOf(run, fetch, find, collect(run.data, fetch.path));
    return batch && fetchEntities(run, fetch, batch, {});
  };
}

/** The merge for what a fetch brings. A fetch that is made once is not worth the compiling. */
function mergeOf(node: FetchNode, { types }: FetchPlace, keys: () => ReadonlySet<string>): Merge {
  if (node.outputRewrites) return types.merge;
  let merge = types.merge;
  let uses = 0;
  return (target, source, isShared) => {
    if (++uses === 20) merge = compileMerge(keys(), types.merge);
    merge(target, source, isShared);
  };
}

function fetchRoot<Context>(run: Run<Context>, fetch: CompiledFetch): Promise<void> | undefined {
  const objects = fetch.path.length === 0 ? [run.data] : collect(run.data, fetch.path);
  if (objects.length === 0) return undefined;
  return ask(run, fetch, fetch.node.operation, variablesOf(run, fetch), objects, (response) => {
    const { data } = response;
    if (data) {
      if (fetch.node.outputRewrites) applyRewrites(fetch.node.outputRewrites, data, fetch.place.types);
      objects.forEach((object, index) => {
        fetch.merge(object, data, index > 0);
      });
    }
    recordErrors(run, fetch, response, () => objects);
    if (!data && !response.errors?.length) fail(run, fetch, objects, textOfBadAnswer('An answer has no data.'));
    run.isHalted ||= fetch.place.nonNullKeys.some((key) => (data?.[key] ?? null) === null);
  });
}

function fetchEntities<Context>(
  run: Run<Context>,
  fetch: CompiledFetch,
  batch: Batch,
  contextVariables: DataObject,
  query = fetch.node.operation,
): Promise<void> {
  const { representations, objects, indexes } = batch;
  const variables = { ...variablesOf(run, fetch), ...contextVariables, representations };
  return ask(run, fetch, query, variables, objects, (response) => {
    const entities = response.data?.['_entities'];
    const isWhole = Array.isArray(entities) && entities.length === representations.length;
    if (isWhole) mergeEntities(fetch, batch, entities);
    recordErrors(run, fetch, response, (index) =>
      index === undefined ? objects : objects.filter((_, at) => indexes[at] === index),
    );
    if (!isWhole && !response.errors?.length) {
      fail(run, fetch, objects, textOfBadAnswer('An answer has not one entity for each representation.'));
    }
  });
}

function mergeEntities(fetch: CompiledFetch, { objects, indexes }: Batch, entities: readonly unknown[]): void {
  const { isWrittenBelow, types } = fetch.place;
  const rewrites = fetch.node.outputRewrites;
  let used = 0;
  for (let at = 0; at < objects.length; at++) {
    const index = indexes[at] as number;
    const object = objects[at] as DataObject;
    const entity = entities[index];
    const isFirstUse = index === used;
    if (isFirstUse) used++;
    if (!isDataObject(entity)) continue;
    if (isFirstUse && rewrites) {
      entity['__typename'] ??= object['__typename'];
      applyRewrites(rewrites, entity, types);
    }
    fetch.merge(object, entity, isWrittenBelow && !isFirstUse);
  }
}

/** One request for each set of values that the entities take from around them. */
function fetchWithContext<Context>(
  run: Run<Context>,
  fetch: CompiledFetch,
  find: FindBuilder,
): Promise<void> | undefined {
  const groups = new Map<string, { readonly variables: DataObject; readonly objects: DataObject[] }>();
  for (const place of locate(run.data, fetch.path)) {
    const variables = readContext(fetch.node.contextRewrites ?? [], place, fetch.place.types);
    const key = JSON.stringify(variables);
    const group = groups.get(key);
    if (group) group.objects.push(place.object);
    else groups.set(key, { variables, objects: [place.object] });
  }
  const requests = [...groups.values()].flatMap(({ variables, objects }) => {
    const query = fetch.queryWith(variables);
    const batch = query === undefined ? undefined : batchOf(run, fetch, find, objects);
    return batch ? [fetchEntities(run, fetch, batch, variables, query)] : [];
  });
  return requests.length > 1 ? Promise.all(requests).then(() => undefined) : requests[0];
}

/** The distinct representations of objects; undefined when there are none. */
function batchOf<Context>(
  run: Run<Context>,
  fetch: CompiledFetch,
  find: FindBuilder,
  found: readonly DataObject[],
): Batch | undefined {
  const representations: DataObject[] = [];
  const objects: DataObject[] = [];
  const indexes: number[] = [];
  const incomplete: DataObject[] = [];
  const rewrites = fetch.node.inputRewrites;
  const indexesOf = new Map<string, Map<unknown, number>>();
  let lastType: unknown;
  let builder: RepresentationBuilder | undefined;
  let known = new Map<unknown, number>();
  for (const object of found) {
    const typename = object['__typename'];
    if (typename !== lastType && typeof typename === 'string') {
      lastType = typename;
      builder = find(typename);
      known = indexesOf.get(typename) ?? new Map<unknown, number>();
      indexesOf.set(typename, known);
    }
    if (!builder || typename !== lastType) continue;
    const { only } = builder;
    const onlyKey = only?.read(object);
    let index = only && known.get(onlyKey);
    if (index === undefined) {
      const representation = builder.build(object);
      if (!representation) {
        incomplete.push(object);
        continue;
      }
      const key = only ? onlyKey : representationKey(representation);
      index = known.get(key);
      if (index === undefined) {
        index = representations.length;
        known.set(key, index);
        if (rewrites) applyRewrites(rewrites, representation, fetch.place.types);
        representations.push(representation);
      }
    }
    objects.push(object);
    indexes.push(index);
  }
  if (incomplete.length > 0) {
    const cause = run.failures.at(-1)?.error ?? run.errors.at(-1);
    if (cause) run.failures.push({ error: cause, fetch, objects: incomplete, isConsequence: true });
  }
  return objects.length > 0 ? { representations, objects, indexes } : undefined;
}

function ask<Context>(
  run: Run<Context>,
  fetch: CompiledFetch,
  query: string,
  variables: Readonly<Record<string, unknown>>,
  objects: readonly DataObject[],
  take: (response: SubgraphResponse) => void,
): Promise<void> {
  const { node } = fetch;
  const request: SubgraphRequest = {
    subgraph: node.serviceName,
    query,
    operationName: node.operationName,
    variables,
    kind: node.operationKind === 'mutation' ? 'mutation' : 'query',
  };
  const refuse = (error: unknown): void => {
    fail(run, fetch, objects, textOfRejection(error));
    run.isHalted ||= fetch.place.nonNullKeys.length > 0;
  };
  try {
    const joiner = fetch.place.isJoinable ? run.joiner : undefined;
    const answer = joiner ? joiner.ask(node, request) : run.fetch(request, run.context);
    return answer.then(take).catch(refuse);
  } catch (error) {
    refuse(error);
    return Promise.resolve();
  }
}

function fail<Context>(run: Run<Context>, fetch: FetchInfo, objects: readonly DataObject[], error: ErrorText): void {
  run.failures.push({ error, fetch, objects, isConsequence: false });
}

function variablesOf<Context>(run: Run<Context>, fetch: CompiledFetch): DataObject {
  const variables: DataObject = {};
  for (const name of fetch.variableNames) {
    if (Object.hasOwn(run.variables, name) && run.variables[name] !== undefined) variables[name] = run.variables[name];
  }
  return variables;
}

function aliasesOf(node: FetchNode): ReadonlyMap<string, string> {
  const aliases = new Map<string, string>();
  for (const rewrite of node.outputRewrites ?? []) {
    const alias = rewrite.path.at(-1);
    if (rewrite.kind === 'KeyRenamer' && alias !== undefined) aliases.set(alias, rewrite.renameKeyTo);
  }
  return aliases;
}
