// Takes a fetch apart: fields that require something go into fetches of entities of their own, which are sent it.
import {
  baseType,
  isCompositeType,
  isInterfaceType,
  possibleRuntimeTypes,
  type CompositeType,
  type Schema,
} from '@apollo/federation-internals';
import type { FetchNode, PlanNode, QueryPlanSelectionNode, ResponsePath } from '@apollo/query-planner';
import { Kind, OperationTypeNode, parse, print } from 'graphql';
import type { FieldNode, OperationDefinitionNode, SelectionNode, SelectionSetNode } from 'graphql';
import type { Supergraph } from '../supergraph.ts';
import { inParallel, inSequence } from './order.ts';
import { entitiesWith, fragmentOn, setOf, textOf, typenameField } from './fetch-text.ts';
import { requirementsOf } from './requirement-index.ts';
import { fragmentPrefix } from './rewrite.ts';
import { typeIndexOf } from './types.ts';

/** Where an object stands in the answer to a fetch. */
interface Place {
  /** The keys in the text of the fetch. */
  readonly keys: readonly string[];
  /** The path of a Flatten. */
  readonly path: ResponsePath;
}

/** Fields of one type that require the same. */
interface Group {
  readonly place: Place;
  readonly type: string;
  readonly required: SelectionSetNode;
  readonly fields: FieldNode[];
  /** Fields below them that require something too. */
  readonly below: Group[];
}

/** A fetch that is taken apart. */
interface Whole {
  readonly fetch: FetchNode;
  readonly operation: OperationDefinitionNode;
  readonly supergraph: Supergraph;
  readonly schema: Schema;
  /** Keys that stand in the text for others. */
  readonly renames: ReadonlyMap<string, string>;
  readonly moved: Set<FetchNode>;
}

type Rewrite = NonNullable<FetchNode['outputRewrites']>[number];

/**
 * The fetch as it is when none of its fields requires anything; else all that takes its place.
 * @param moved is given the fetches of what was taken out.
 */
export function separateFetch(supergraph: Supergraph, fetch: FetchNode, moved: Set<FetchNode>): PlanNode {
  const [operation] = parse(fetch.operation, { noLocation: true }).definitions;
  const schema = supergraph.planner.supergraph.subgraphs().get(fetch.serviceName)?.schema;
  if (operation?.kind !== Kind.OPERATION_DEFINITION || !schema) return fetch;
  const renames = new Map(
    (fetch.outputRewrites ?? []).flatMap((one) =>
      one.kind === 'KeyRenamer' ? [[one.path.at(-1) ?? '', one.renameKeyTo] as const] : [],
    ),
  );
  const whole = { fetch, operation, supergraph, schema, renames, moved };
  const groups: Group[] = [];
  const start = { keys: [], path: [] };
  const [entities] = operation.selectionSet.selections;
  const isOfEntities = fetch.requires !== undefined && entities?.kind === Kind.FIELD && entities.selectionSet;
  const rest = isOfEntities
    ? take(whole, entities.selectionSet, undefined, start, groups)
    : take(whole, operation.selectionSet, schema.schemaDefinition.rootType(operation.operation), start, groups);
  if (groups.length === 0) return fetch;
  const own = groups.filter(({ place }) => isOfEntities && place.path.length === 0);
  const others = groups.filter((group) => !own.includes(group));
  const { operation: text, variableUsages } = textOf(
    fetch,
    operation,
    isOfEntities ? [{ ...entities, selectionSet: setOf(rest) }] : rest,
  );
  const left: PlanNode[] = rest.length > 0 ? [{ ...fetch, operation: text, variableUsages }] : [];
  return inParallel([...inSequence([...left, ...nodesOf(whole, others)]), ...nodesOf(whole, own)])[0] ?? fetch;
}

/** What is left of a selection without the fields that require something; those are added to groups. */
function take(
  whole: Whole,
  { selections }: SelectionSetNode,
  type: CompositeType | undefined,
  place: Place,
  groups: Group[],
): SelectionNode[] {
  const { fetch, supergraph, schema, renames } = whole;
  const { of } = requirementsOf(supergraph);
  const missing = new Set<string>();
  const left = selections.flatMap((one): SelectionNode[] => {
    if (one.kind === Kind.FRAGMENT_SPREAD) return [one];
    if (one.kind === Kind.INLINE_FRAGMENT) {
      const condition = one.typeCondition && schema.type(one.typeCondition.name.value);
      const on = condition && isCompositeType(condition) ? condition : type;
      const inner = take(whole, one.selectionSet, on, place, groups);
      return inner.length > 0 ? [{ ...one, selectionSet: setOf(inner) }] : [];
    }
    const field = type && 'fields' in type ? type.field(one.name.value) : undefined;
    if (!field?.type || !type) return [one];
    const key = one.alias?.value ?? one.name.value;
    const lists = String(field.type).split('[').length - 1;
    const at = {
      keys: [...place.keys, key],
      path: [...place.path, renames.get(key) ?? key, ...Array.from({ length: lists }, () => '@')],
    };
    const below: Group[] = [];
    const on = baseType(field.type);
    const rest =
      one.selectionSet && isCompositeType(on)
        ? { ...one, selectionSet: setOf(take(whole, one.selectionSet, on, at, below)) }
        : one;
    const members = isInterfaceType(type) ? possibleRuntimeTypes(type).map(({ name }) => name) : [type.name];
    const needy = members.filter((name) => of(fetch.serviceName, name, field.name));
    for (const name of needy) {
      missing.add(name);
      addTo(groups, place, name, of(fetch.serviceName, name, field.name) as SelectionSetNode, rest, below);
    }
    if (needy.length === members.length) return [];
    for (const group of below) groups.push(group);
    if (needy.length === 0) return [rest];
    return members.filter((name) => !needy.includes(name)).map((name) => fragmentOn(name, [rest]));
  });
  // Entities that the fetch is for are known by what it is sent.
  if (missing.size === 0 || (fetch.requires && place.path.length === 0)) return left;
  const keys = [...missing].flatMap((name) => {
    const { selections: key } = keyOf(whole, name);
    return name === type?.name ? key : [fragmentOn(name, key)];
  });
  const isThere = (one: SelectionNode): boolean => left.some((other) => print(other) === print(one));
  return [...[typenameField, ...keys].filter((one) => !isThere(one)), ...left];
}

function addTo(
  groups: Group[],
  place: Place,
  type: string,
  required: SelectionSetNode,
  field: FieldNode,
  below: readonly Group[],
): void {
  const isSame = (one: Group): boolean =>
    one.type === type && one.place.path.join() === place.path.join() && print(one.required) === print(required);
  let group = groups.find(isSame);
  if (!group) groups.push((group = { place, type, required, fields: [], below: [] }));
  group.fields.push(field);
  group.below.push(...below);
}

function nodesOf(whole: Whole, groups: readonly Group[]): PlanNode[] {
  const nodes = groups.flatMap((group): PlanNode[] => {
    const { path } = group.place;
    const node = fetchOf(whole, group);
    whole.moved.add(node);
    const placed: PlanNode = path.length > 0 ? { kind: 'Flatten', path, node } : node;
    return inSequence([placed, ...nodesOf(whole, group.below)]);
  });
  return inParallel(nodes);
}

function fetchOf(whole: Whole, group: Group): FetchNode {
  const { fetch, supergraph, schema } = whole;
  const { type, required, fields, place } = group;
  const { id: _, requires, inputRewrites = [], outputRewrites = [], contextRewrites = [], ...same } = fetch;
  const isOwn = requires !== undefined && place.path.length === 0;
  const isInterfaceObject = supergraph.planner.supergraph.schema.type(type)?.kind !== schema.type(type)?.kind;
  const sentAs: Rewrite = { kind: 'ValueSetter', path: [`${fragmentPrefix}${type}`, '__typename'], setValueTo: type };
  const text = textOf(fetch, whole.operation, [entitiesWith([fragmentOn(type, fields)])], OperationTypeNode.QUERY);
  const contexts = contextRewrites
    .filter(({ renameKeyTo }) => text.used.has(renameKeyTo))
    .map((one) => ({ ...one, path: [...place.keys.map(() => '..'), ...one.path] }));
  const selection = [typenameField, ...(isOwn ? [] : keyOf(whole, type).selections), ...required.selections];
  return {
    ...same,
    operation: text.operation,
    variableUsages: text.variableUsages,
    operationKind: OperationTypeNode.QUERY,
    requires: isOwn
      ? narrowed(requires, type, selectionNodes(required.selections), supergraph)
      : [{ kind: 'InlineFragment', typeCondition: type, selections: selectionNodes(selection) }],
    inputRewrites: [...(isOwn ? inputRewrites : isInterfaceObject ? [sentAs] : []), ...renamesBack(required, [])],
    outputRewrites: outputRewrites.flatMap((one) => below(one, place.keys)),
    ...(contexts.length > 0 ? { contextRewrites: contexts } : {}),
  };
}

/** Of what a fetch requires, that for objects of a type, together with more. */
function narrowed(
  requires: readonly QueryPlanSelectionNode[],
  type: string,
  more: readonly QueryPlanSelectionNode[],
  supergraph: Supergraph,
): QueryPlanSelectionNode[] {
  const { applies } = typeIndexOf(supergraph);
  return requires.flatMap((one): QueryPlanSelectionNode[] => {
    if (one.kind !== 'InlineFragment') return [one];
    const condition = one.typeCondition ?? type;
    if (!applies(type, condition) && !applies(condition, type)) return [];
    const typeCondition = applies(type, condition) ? condition : type;
    return [{ ...one, typeCondition, selections: [...one.selections, ...more] }];
  });
}

/** A rewrite of the whole fetch as one of what stands at a place in it. */
function below(rewrite: Rewrite, keys: readonly string[]): Rewrite[] {
  const path = [...rewrite.path];
  for (const key of keys) {
    while (path[0]?.startsWith(fragmentPrefix) === true) path.shift();
    if (path.shift() !== key) return [];
  }
  return [{ ...rewrite, path }];
}

/** What is required is sent under its own names: first what is inside, then what is around it. */
function renamesBack({ selections }: SelectionSetNode, at: readonly string[]): Rewrite[] {
  return selections.flatMap((one): Rewrite[] => {
    if (one.kind === Kind.FRAGMENT_SPREAD) return [];
    if (one.kind === Kind.INLINE_FRAGMENT) return renamesBack(one.selectionSet, at);
    const path = [...at, one.alias?.value ?? one.name.value];
    const inner = one.selectionSet ? renamesBack(one.selectionSet, path) : [];
    return one.alias ? [...inner, { kind: 'KeyRenamer', path, renameKeyTo: one.name.value }] : inner;
  });
}

function selectionNodes(selections: readonly SelectionNode[]): QueryPlanSelectionNode[] {
  return selections.flatMap((one): QueryPlanSelectionNode[] => {
    if (one.kind === Kind.FRAGMENT_SPREAD) return [];
    const inner = one.selectionSet && selectionNodes(one.selectionSet.selections);
    if (one.kind === Kind.INLINE_FRAGMENT) {
      const typeCondition = one.typeCondition?.name.value;
      return [
        { kind: 'InlineFragment', ...(typeCondition === undefined ? {} : { typeCondition }), selections: inner ?? [] },
      ];
    }
    const alias = one.alias ? { alias: one.alias.value } : {};
    return [{ kind: 'Field', name: one.name.value, ...alias, ...(inner ? { selections: inner } : {}) }];
  });
}

function keyOf({ supergraph, fetch }: Whole, type: string): SelectionSetNode {
  const [key] = typeIndexOf(supergraph).keysOf(fetch.serviceName, type);
  if (!key) throw new Error(`"${fetch.serviceName}" has fields of ${type} that require others, and no key for it.`);
  return key;
}
