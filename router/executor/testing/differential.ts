// Runs one operation through the executor and, over the same world, through graphql-js on the merged schema, and says how
// the results differ.
import { execute, getVariableValues } from 'graphql';
import type { ExecutionResult, GraphQLError, GraphQLFieldResolver, GraphQLOutputType } from 'graphql';
import { executeEvent, executeOperation, type SubgraphFetch } from '../execute.ts';
import { maxPlacesPerError } from '../failures.ts';
import type { CompiledOperation } from '../operation.ts';
import { CodedError } from '../../../service/errors.ts';
import { makeGraph, type TestGraph } from './graph.ts';
import type { FuzzGraph } from './graphs.ts';
import { eventPayload } from './payload.ts';
import {
  createWorld,
  isBroken,
  worldFacts,
  type Node,
  type World,
  type WorldFacts,
  type WorldOptions,
} from './world.ts';

/** A supergraph of the fuzz, running. */
export interface Bench {
  readonly graph: TestGraph;
  readonly facts: WorldFacts;
  /** Sets what is true from now on. */
  readonly setWorld: (options: WorldOptions) => void;
  readonly world: () => World;
}

type Resolver = GraphQLFieldResolver<unknown, unknown, Readonly<Record<string, unknown>>>;

/** Composes one and gives its subgraphs resolvers that answer from the world. */
export function createBench(fuzzGraph: FuzzGraph): Bench {
  const current: { world: World | undefined } = { world: undefined };
  const world = (): World => {
    if (!current.world) throw new Error('There is no world yet.');
    return current.world;
  };
  const fieldResolver: Resolver = (source, args, _context, info) => {
    const { parentType, fieldName, schema } = info;
    const isRoot = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()].includes(parentType);
    const node = isRoot ? rootNode(parentType.name) : (source as Node);
    const contextual = fuzzGraph.contextual?.[`${node.type}.${fieldName}`]?.(node, world()) ?? {};
    for (const [name, value] of Object.entries(contextual)) {
      if (JSON.stringify(args[name] ?? null) !== JSON.stringify(value ?? null)) {
        throw new Error(`${name} was ${JSON.stringify(args[name])} instead of ${JSON.stringify(value)}`);
      }
    }
    const own = Object.fromEntries(Object.entries(args).filter(([name]) => !(name in contextual)));
    world().checkRequired(node, fieldName);
    return world().value(node.type, node.id, fieldName, own);
  };
  const resolvers = {
    __resolveReference: (representation: Record<string, unknown>) => world().resolve(representation),
  };
  const graph = makeGraph(
    fuzzGraph.subgraphs.map((subgraph) => {
      const entities = [...subgraph.sdl.matchAll(/(type|interface) (\w+)[^{]*@key/g)].map(([, kind, name]) => {
        const resolveType = { __resolveType: (node: Node) => node.type };
        return [String(name), kind === 'interface' ? { ...resolvers, ...resolveType } : resolvers] as const;
      });
      return { ...subgraph, resolvers: Object.fromEntries(entities), fieldResolver };
    }),
  );
  const facts = worldFacts(fuzzGraph, graph.supergraph.planner.supergraph.schema.toGraphQLJSSchema());
  return { graph, facts, world, setWorld: (options) => void (current.world = createWorld(facts, options)) };
}

const rootNode = (name: string): Node => ({ type: name, id: name, __typename: name });

/** What graphql-js says, and the type at each place that it came by. */
export interface Reference {
  readonly result: ExecutionResult;
  readonly types: ReadonlyMap<string, GraphQLOutputType>;
}

/** Executes an operation on the merged schema. */
export function runReference(
  bench: Bench,
  operation: CompiledOperation,
  variables: Record<string, unknown>,
): Reference {
  const types = new Map<string, GraphQLOutputType>();
  const world = bench.world();
  const result = execute({
    schema: bench.graph.supergraph.schema,
    document: operation.document,
    variableValues: variables,
    fieldResolver: (source, args, _context, info) => {
      const isRoot = info.path.prev === undefined;
      const { type, id } = isRoot || isQueryRoot(source) ? rootNode(info.parentType.name) : (source as Node);
      types.set(pathText(info.path), info.returnType);
      return world.value(type, id, info.fieldName, args as Record<string, unknown>);
    },
  });
  if (result instanceof Promise) throw new Error('The reference should be synchronous.');
  return { result: JSON.parse(JSON.stringify(result)) as ExecutionResult, types };
}

const isQueryRoot = (source: unknown): boolean => (source as Node | undefined)?.type === 'Query';

function pathText(path: { readonly prev: unknown; readonly key: string | number } | undefined): string {
  return path ? `${pathText(path.prev as typeof path)}/${path.key}` : '';
}

/** Executes an operation with the executor. `down` is a subgraph that cannot be reached. */
export async function runOurs(
  bench: Bench,
  operation: CompiledOperation,
  variables: Record<string, unknown>,
  down?: string,
): Promise<ExecutionResult> {
  const coerced = coerce(operation, variables);
  const fetch: SubgraphFetch<undefined> = (request, context) =>
    request.subgraph === down
      ? Promise.reject(new CodedError('SERVICE_UNAVAILABLE'))
      : bench.graph.fetch(request, context);
  // What cannot be planned is thrown here, not told as an error.
  operation.variantFor(coerced);
  if (operation.kind !== 'subscription') return plain(await executeOperation(operation, coerced, fetch, undefined));
  const payload = eventPayload(bench, operation, coerced);
  const before = JSON.stringify(payload);
  const result = await executeEvent(operation, coerced, { event: payload }, fetch, undefined);
  if (JSON.stringify(payload) !== before) throw new Error('The event was changed.');
  return plain(result);
}

/** The values of an operation's variables as the executor wants them. */
export function coerce({ supergraph, operation }: CompiledOperation, variables: Record<string, unknown>) {
  const { coerced, errors } = getVariableValues(supergraph.schema, operation.variableDefinitions ?? [], variables);
  if (!coerced) throw errors[0] as GraphQLError;
  return coerced;
}

const plain = (result: ExecutionResult): ExecutionResult => JSON.parse(JSON.stringify(result)) as ExecutionResult;

/** How our result differs from the reference; undefined when it does not. */
export function difference(ours: ExecutionResult, { result: theirs }: Reference): string | undefined {
  if (JSON.stringify(ours.data) !== JSON.stringify(theirs.data)) return 'data';
  const left = effects(ours);
  const right = effects(theirs);
  const missing = [...right].filter((effect) => !left.has(effect));
  const extra = [...left].filter((effect) => !right.has(effect));
  // Only so many places are told of one error.
  const isCapped = (ours.errors?.length ?? 0) >= maxPlacesPerError;
  if (missing.length > 0 && !isCapped) return `errors missing: ${missing.join('; ')}`;
  return extra.length > 0 ? `errors too many: ${extra.join('; ')}` : undefined;
}

/**
 * What the errors of a result do: the null that each has led to, and its message where it stands on that null itself.
 * When a null has risen, which of the errors below it are told is left open by the specification.
 */
function effects({ data, errors }: ExecutionResult): Set<string> {
  return new Set(
    (errors ?? []).map(({ path = [], message }) => {
      let value: unknown = data;
      let length = 0;
      while (length < path.length && typeof value === 'object' && value !== null) {
        value = (value as Record<string, unknown>)[String(path[length])];
        length++;
      }
      const place = path.slice(0, length).join('/');
      return length === path.length ? `${place}: ${value === null ? plainMessage(message) : 'not null'}` : place;
    }),
  );
}

/** Only what the world itself calls broken is compared by words. */
const plainMessage = (message: string): string => (isBroken(message) ? message : 'error');

/**
 * What must hold when a subgraph is down: every null that the whole graph would not have has an error that explains it,
 * none stands where the schema has none, and all else is as it would be.
 */
export function unexplained(ours: ExecutionResult, { result, types }: Reference): string | undefined {
  const paths = (ours.errors ?? []).map(({ path }) => path ?? []);
  const isCapped = paths.length >= maxPlacesPerError;
  const check = (
    mine: unknown,
    whole: unknown,
    path: readonly (string | number)[],
    isOfList: boolean,
  ): string | undefined => {
    const text = path.join('/');
    if (mine === null) {
      const type = types.get(`/${text}`);
      if (!isOfList && type && String(type).endsWith('!')) return `null at ${text}, which is ${String(type)}`;
      if (whole === null || isCapped) return undefined;
      const isExplained = paths.some((other) => other.every((key, at) => at >= path.length || key === path[at]));
      return isExplained ? undefined : `no error explains the null at ${text}`;
    }
    if (typeof mine !== 'object' || typeof whole !== 'object' || whole === null) {
      return JSON.stringify(mine) === JSON.stringify(whole) ? undefined : `other value at ${text}`;
    }
    const keys = Object.keys(mine);
    if (keys.join() !== Object.keys(whole).join()) return `other keys at ${text}`;
    for (const key of keys) {
      const step = Array.isArray(mine) ? Number(key) : key;
      const found = check(
        (mine as Record<string, unknown>)[key],
        (whole as Record<string, unknown>)[key],
        [...path, step],
        Array.isArray(mine),
      );
      if (found) return found;
    }
    return undefined;
  };
  return check(ours.data, result.data, [], true);
}
