// Takes apart what is asked of interface objects (`@interfaceObject`). Their subgraph knows all types of the interface as one, and the planner
// (2.14.4) asks for all of them what the client asks for any. A field below that is never null and fails would take with it, in
// objects of one type, what only those of another were asked for; so each type is asked for its own.
import { isInterfaceType } from '@apollo/federation-internals';
import type { FetchNode, PlanNode, QueryPlan, ResponsePath } from '@apollo/query-planner';
import { Kind, parse, print, visit } from 'graphql';
import type { DocumentNode, FieldNode, FragmentDefinitionNode, SelectionNode, SelectionSetNode } from 'graphql';
import type { Supergraph } from '../supergraph.ts';
import { entitiesWith, fragmentOn, setOf, textOf, typenameField } from './fetch-text.ts';
import { changeFetches, fieldsOf, inParallel, requiredPaths } from './order.ts';
import { compilePath } from './path.ts';
import { typeIndexOf, type TypeIndex } from './types.ts';

interface Facts {
  readonly supergraph: Supergraph;
  readonly asked: Asked;
  /** The places that fetches read, as keys. */
  readonly needed: ReadonlySet<string>;
}

/** What a client asks for. */
interface Asked {
  /** At a place: for objects of a type, or for any. */
  readonly at: (place: readonly string[], type?: string) => readonly FieldNode[];
  /** Below fields. */
  readonly below: (fields: readonly FieldNode[]) => readonly FieldNode[];
}

/** Whether any subgraph knows an interface as an object. */
export const hasInterfaceObjects = ({ sdl }: Supergraph): boolean => sdl.includes('isInterfaceObject: true');

/** A plan for a document, in which each type of an interface object is asked for its own fields only. */
export function separateTypes(supergraph: Supergraph, document: DocumentNode, plan: QueryPlan): QueryPlan {
  const { node } = plan;
  const root = node?.kind === 'Subscription' ? node.rest : node;
  if (!node || !root || !hasInterfaceObjects(supergraph)) return plan;
  const facts = { supergraph, asked: askedIn(document, typeIndexOf(supergraph)), needed: neededIn(root) };
  const separated = changeFetches(root, [], (fetch, path) => separateFetch(fetch, path, facts));
  return { ...plan, node: node.kind === 'Subscription' ? { ...node, rest: separated } : separated };
}

function separateFetch(fetch: FetchNode, path: ResponsePath, facts: Facts): PlanNode {
  const { supergraph, asked } = facts;
  const federation = supergraph.planner.supergraph;
  // What others wait for by its id stays in one piece.
  if (!fetch.requires || fetch.id !== undefined || fetch.contextRewrites) return fetch;
  const [operation] = withoutSpreads(parse(fetch.operation, { noLocation: true })).definitions;
  if (operation?.kind !== Kind.OPERATION_DEFINITION) return fetch;
  const [entities] = operation.selectionSet.selections;
  const [fragment, ...others] = entities?.kind === Kind.FIELD ? (entities.selectionSet?.selections ?? []) : [];
  if (fragment?.kind !== Kind.INLINE_FRAGMENT || others.length > 0) return fetch;
  const name = fragment.typeCondition?.name.value ?? '';
  const type = federation.schema.type(name);
  const isInterfaceObject = federation.subgraphs().get(fetch.serviceName)?.schema.type(name)?.kind === 'ObjectType';
  if (!type || !isInterfaceType(type) || !isInterfaceObject) return fetch;

  const place = keysOf(path);
  const groups = new Map<string, { readonly set: SelectionSetNode; readonly types: string[] }>();
  for (const { name: member } of type.possibleRuntimeTypes()) {
    const set = pruned(fragment.selectionSet, asked.at(place, member), asked.at(place), place, facts);
    const key = print(set);
    const group = groups.get(key) ?? { set, types: [] };
    groups.set(key, group);
    group.types.push(member);
  }
  if (groups.size < 2) return fetch;
  // A type of which nothing is asked there is not asked at all.
  const asking = [...groups.values()].filter(({ set }) => !isOnlyTypename(set));
  const parts = asking.map(({ set, types }): FetchNode => {
    const { operation: text, variableUsages } = textOf(fetch, operation, [
      entitiesWith([fragmentOn(name, set.selections)]),
    ]);
    return {
      ...fetch,
      operation: text,
      variableUsages,
      requires: types.flatMap((member) => requiredOf(fetch, member, typeIndexOf(supergraph))),
    };
  });
  return inParallel(parts.filter(({ requires }) => requires?.length))[0] ?? fetch;
}

/** With its named fragments spread out: not every part would use them. */
function withoutSpreads(document: DocumentNode): DocumentNode {
  const fragments = new Map(
    document.definitions.flatMap((one) =>
      one.kind === Kind.FRAGMENT_DEFINITION ? [[one.name.value, one] as const] : [],
    ),
  );
  return visit(document, {
    FragmentSpread({ name }) {
      const { typeCondition, selectionSet } = fragments.get(name.value) ?? {};
      return typeCondition && selectionSet ? fragmentOn(typeCondition.name.value, selectionSet.selections) : undefined;
    },
  });
}

const isOnlyTypename = ({ selections }: SelectionSetNode): boolean =>
  selections.every((one) => one.kind === Kind.FIELD && one.name.value === '__typename');

/** What a fetch requires of objects of one type. */
function requiredOf({ requires = [] }: FetchNode, type: string, { applies }: TypeIndex) {
  return requires.flatMap((one) =>
    one.kind === 'InlineFragment' && applies(one.typeCondition ?? type, type) ? [{ ...one, typeCondition: type }] : [],
  );
}

/** A selection without what the client asks for elsewhere but not here, unless a fetch needs it. */
function pruned(
  { selections }: SelectionSetNode,
  here: readonly FieldNode[],
  anywhere: readonly FieldNode[],
  place: readonly string[],
  facts: Facts,
): SelectionSetNode {
  const left = selections.flatMap((one): SelectionNode[] => {
    if (one.kind === Kind.FRAGMENT_SPREAD) return [one];
    if (one.kind === Kind.INLINE_FRAGMENT) {
      return [{ ...one, selectionSet: pruned(one.selectionSet, here, anywhere, place, facts) }];
    }
    // The type is what the executor goes by, whoever asks for it.
    if (one.name.value === '__typename') return [one];
    const key = keyOf(one);
    const at = [...place, key];
    const [mine, all] = [here, anywhere].map((fields) => fields.filter((field) => keyOf(field) === key));
    if (mine?.length === 0 && all?.length !== 0 && !facts.needed.has(at.join('/'))) return [];
    if (!one.selectionSet) return [one];
    const [inner, allInner] = [mine, all].map((fields) => facts.asked.below(fields ?? []));
    return [{ ...one, selectionSet: pruned(one.selectionSet, inner ?? [], allInner ?? [], at, facts) }];
  });
  return setOf(left.length > 0 ? left : [typenameField]);
}

function askedIn({ definitions }: DocumentNode, { applies }: TypeIndex): Asked {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const one of definitions) if (one.kind === Kind.FRAGMENT_DEFINITION) fragments.set(one.name.value, one);
  const fieldsIn = ({ selections }: SelectionSetNode, type?: string): FieldNode[] =>
    selections.flatMap((one) => {
      if (one.kind === Kind.FIELD) return [one];
      const fragment = one.kind === Kind.FRAGMENT_SPREAD ? fragments.get(one.name.value) : one;
      const condition = fragment?.typeCondition?.name.value;
      const isFor = type === undefined || condition === undefined || applies(condition, type);
      return fragment && isFor ? fieldsIn(fragment.selectionSet, type) : [];
    });
  const roots = definitions.flatMap((one) => (one.kind === Kind.OPERATION_DEFINITION ? [one.selectionSet] : []));
  const setsBelow = (fields: readonly FieldNode[]) => fields.flatMap(({ selectionSet }) => selectionSet ?? []);
  const setsAt = (place: readonly string[]): readonly SelectionSetNode[] =>
    place.reduce<readonly SelectionSetNode[]>(
      (sets, key) => setsBelow(sets.flatMap((set) => fieldsIn(set)).filter((field) => keyOf(field) === key)),
      roots,
    );
  return {
    at: (place, type) => setsAt(place).flatMap((set) => fieldsIn(set, type)),
    below: (fields) => setsBelow(fields).flatMap((set) => fieldsIn(set)),
  };
}

function neededIn(root: PlanNode): ReadonlySet<string> {
  const needed = new Set<string>();
  changeFetches(root, [], (fetch, path) => {
    const place = keysOf(path);
    for (const required of [[], ...requiredPaths(fetch.requires ?? [])]) {
      const whole = [...place, ...required];
      whole.forEach((_, at) => needed.add(whole.slice(0, at + 1).join('/')));
    }
    return fetch;
  });
  return needed;
}

const keysOf = (path: ResponsePath): string[] => fieldsOf(compilePath(path));

const keyOf = ({ alias, name }: FieldNode): string => alias?.value ?? name.value;
