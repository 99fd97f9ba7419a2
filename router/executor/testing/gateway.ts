// Runs one operation through ApolloGateway's own executor, over the same subgraphs, and says how its result differs from ours.
import { buildOperationContext, executeQueryPlan } from '@apollo/gateway';
import type { ServiceMap } from '@apollo/gateway';
import { operationFromDocument } from '@apollo/federation-internals';
import type { QueryPlan } from '@apollo/query-planner';
import { getNamedType, isAbstractType, isObjectType, Kind } from 'graphql';
import type {
  DocumentNode,
  ExecutionResult,
  FragmentDefinitionNode,
  GraphQLNamedType,
  GraphQLSchema,
  SelectionSetNode,
} from 'graphql';
import { clientKeyOf, dataKeysFor, documentToPlan } from '../keys.ts';
import type { CompiledOperation } from '../operation.ts';
import { decideOverrides } from '../overrides.ts';
import { compilePlan } from '../plan.ts';
import { haveRequirementsMet } from '../requirement-plan.ts';
import type { Bench } from './differential.ts';

/** What the gateway says, or why it was not asked. */
export type GatewayAnswer = { readonly result: ExecutionResult } | { readonly unable: GatewayLimit };

/** What ApolloGateway (2.14.4) is known not to do, so that its result says nothing. */
export type GatewayLimit =
  /** It ignores the `contextRewrites` of a plan: arguments with @fromContext get no value. */
  | 'context'
  /** Where representations are sent as an interface (@interfaceObject) it loses the name of the object type to it. */
  | 'interface-object'
  /** It gives nothing of a fragment on an object's own type that stands in one on its interface. */
  | 'narrowed-again'
  /** It runs a plan that the planner has put in the wrong order as it stands, where ours is planned anew. */
  | 'misordered'
  /** It runs the official plan where requirements lead to one another or differ in arguments, and ours another one. */
  | 'requirements';

/**
 * Executes a query or a mutation. The gateway is given the document as our planner gets it: conditions decided and aliases
 * out of the way of keys. What the planner does wrong without that is not the executor's difference.
 */
export async function runGateway(
  bench: Bench,
  { document, operation }: CompiledOperation,
  variables: Readonly<Record<string, unknown>>,
): Promise<GatewayAnswer> {
  const { supergraph, fetch } = bench.graph;
  const planned = documentToPlan(document, dataKeysFor(document, supergraph), variables);
  const operationName = operation.name ? { operationName: operation.name.value } : {};
  const source = { supergraph, document: planned, operation, overrides: decideOverrides(supergraph) };
  if (haveRequirementsMet(source)) return { unable: 'requirements' };
  const plan = supergraph.planner.buildQueryPlan(
    operationFromDocument(supergraph.apiSchema, planned, { ...operationName, validate: false }),
  );
  const limit = limitOf(plan) ?? (narrowsAgain(planned, supergraph.schema) ? 'narrowed-again' : undefined);
  if (limit) return { unable: limit };
  if (compilePlan(supergraph, plan).isMisordered) return { unable: 'misordered' };
  const services: ServiceMap = {};
  for (const subgraph of supergraph.subgraphs.keys()) {
    services[subgraph] = {
      process: async ({ request }) =>
        await fetch(
          {
            subgraph,
            query: request.query ?? '',
            operationName: request.operationName,
            variables: request.variables ?? {},
            kind: 'query',
          },
          undefined,
        ),
    };
  }
  const result = await executeQueryPlan(
    plan,
    services,
    { request: { variables }, context: {}, metrics: {}, logger: silent } as unknown as Parameters<
      typeof executeQueryPlan
    >[2],
    buildOperationContext({ schema: supergraph.schema, operationDocument: planned, ...operationName }),
    bench.facts.schema,
    supergraph.apiSchema,
  );
  return { result: inClientKeys(JSON.parse(JSON.stringify(result)) as ExecutionResult) };
}

/** How the gateway's result differs from ours in content; undefined when it does not. */
export function gatewayDifference(ours: ExecutionResult, gateways: ExecutionResult): string | undefined {
  const place = otherPlace(ours.data ?? null, gateways.data ?? null, '');
  if (place !== undefined) return `the gateway's data differ at "${place}"`;
  // It also tells errors of fields that the client has not asked for, but a fetch through an interface has.
  const told = (gateways.errors ?? []).filter(({ path }) => isAskedFor(ours.data, path ?? []));
  const isFailed = (ours.errors ?? []).length > 0;
  // Whether ours are the right ones is for graphql-js to say: the place that the gateway tells may be that of another item.
  const hasFailed = isFailed ? (gateways.errors ?? []).length > 0 : told.length > 0;
  return isFailed === hasFailed ? undefined : `the gateway has ${isFailed ? 'no ' : ''}errors`;
}

/**
 * Whether the client asked for what an error is about. In a list of several types the gateway counts only those that it has
 * fetched, so its index may be that of another item.
 */
function isAskedFor(data: unknown, [key, ...rest]: ReadonlyArray<string | number>, isWithinNull = true): boolean {
  if (key === undefined) return true;
  if (typeof data !== 'object' || data === null) return isWithinNull;
  const clientKey = typeof key === 'string' ? clientKeyOf(key) : key;
  const value = Object.hasOwn(data, clientKey) ? (data as Record<string, unknown>)[clientKey] : undefined;
  if (value !== undefined && isAskedFor(value, rest, isWithinNull)) return true;
  return Array.isArray(data) && data.some((item: unknown) => isAskedFor(item, rest, false));
}

const say = (): undefined => undefined;
const silent = { debug: say, info: say, warn: say, error: say };

function limitOf(plan: QueryPlan): GatewayLimit | undefined {
  const text = JSON.stringify(plan);
  if (text.includes('"contextRewrites":[{')) return 'context';
  return text.includes('"inputRewrites":[{"kind":"ValueSetter"') ? 'interface-object' : undefined;
}

/** Whether an object of a known type is selected through a fragment on its interface and then one on its own type again. */
function narrowsAgain(document: DocumentNode, schema: GraphQLSchema): boolean {
  const found = { one: false };
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const one of document.definitions) if (one.kind === Kind.FRAGMENT_DEFINITION) fragments.set(one.name.value, one);
  const look = ({ selections }: SelectionSetNode, owner: GraphQLNamedType, current: GraphQLNamedType): void => {
    for (const selection of selections) {
      if (selection.kind === Kind.FIELD) {
        const type = 'getFields' in current ? current.getFields()[selection.name.value]?.type : undefined;
        if (type && selection.selectionSet) look(selection.selectionSet, getNamedType(type), getNamedType(type));
        continue;
      }
      const fragment = selection.kind === Kind.FRAGMENT_SPREAD ? fragments.get(selection.name.value) : selection;
      const type = schema.getType(fragment?.typeCondition?.name.value ?? '') ?? current;
      found.one ||= isObjectType(owner) && isAbstractType(current) && isObjectType(type);
      if (fragment) look(fragment.selectionSet, owner, type);
    }
  };
  for (const one of document.definitions) {
    const root = one.kind === Kind.OPERATION_DEFINITION ? schema.getRootType(one.operation) : undefined;
    if (one.kind === Kind.OPERATION_DEFINITION && root) look(one.selectionSet, root, root);
  }
  return found.one;
}

function inClientKeys(result: ExecutionResult): ExecutionResult {
  const rename = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(rename);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, held]) => [clientKeyOf(key), rename(held)]));
  };
  return { ...result, data: rename(result.data ?? null) as Record<string, unknown> | null };
}

/** The order of keys is not compared: the gateway's is that of its plan. Nor a `__typename` that stands for an empty selection. */
function otherPlace(ours: unknown, gateways: unknown, path: string): string | undefined {
  if (typeof ours !== 'object' || ours === null || typeof gateways !== 'object' || gateways === null) {
    return JSON.stringify(ours) === JSON.stringify(gateways) ? undefined : path;
  }
  const keys = new Set([...Object.keys(ours), ...Object.keys(gateways).filter((key) => key !== '__typename')]);
  for (const key of keys) {
    const found = otherPlace(
      Object.hasOwn(ours, key) ? (ours as Record<string, unknown>)[key] : undefined,
      Object.hasOwn(gateways, key) ? (gateways as Record<string, unknown>)[key] : undefined,
      `${path}/${key}`,
    );
    if (found !== undefined) return found;
  }
  return undefined;
}
