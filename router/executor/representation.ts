// Makes the representations that an entity fetch sends: what its `requires` names, taken from objects of the tree.
import type { QueryPlanSelectionNode } from '@apollo/query-planner';
import { Kind } from 'graphql';
import type { SelectionSetNode } from 'graphql';
import { isDataObject, read, write, type DataObject } from './data.ts';
import type { TypeIndex } from './types.ts';

/**
 * The representation of an object; null when it lacks a required field, undefined when it is of another type. Conditions
 * of the client may have left out one of several fragments for good: with `isPartOk` what is there will do.
 */
export type RepresentationBuilder = (entity: DataObject, isPartOk: boolean) => DataObject | null | undefined;

interface Field {
  readonly key: string;
  readonly selection: Selection | undefined;
}

/** Fields that are taken all or none. */
interface Group {
  readonly fields: readonly Field[];
  /** Whether a subgraph can tell the object by these fields. */
  readonly hasKey: boolean;
}

interface Selection {
  readonly nodes: readonly QueryPlanSelectionNode[];
  /** What applies to a type. The first group has the fields outside fragments, which must be there. */
  readonly byType: Map<string, readonly Group[]>;
}

/** What decides a representation besides the `requires`. */
export interface RepresentationFacts {
  readonly types: TypeIndex;
  /** Who is asked. */
  readonly subgraph: string;
  /** Whether any other fetch brings a key to objects of a type: the planner requires some of all types that it needs of one. */
  readonly isBrought: (key: string, typename: string) => boolean;
}

/** Compiles the `requires` of a fetch. Each type that comes by is worked out once. */
export function compileRepresentation(
  requires: readonly QueryPlanSelectionNode[],
  facts: RepresentationFacts,
): RepresentationBuilder {
  const root: Selection = { nodes: requires, byType: new Map() };
  return (entity, isPartOk) => {
    const typename = entity['__typename'];
    if (typeof typename !== 'string') return undefined;
    const groups = groupsOf(root, typename, facts, true);
    // Without a key in all that it would be sent, the fetch is for objects of other types (the planner asks for what
    // one type requires on the whole interface).
    if (!groups.some(({ hasKey }) => hasKey)) return undefined;
    let result: DataObject | undefined;
    let hasKey = false;
    for (const group of groups) {
      const part = take(entity, group.fields, facts);
      if (part === undefined) {
        if (!isPartOk) return null;
        continue;
      }
      hasKey ||= group.hasKey;
      result = result === undefined ? part : unite(result, part);
    }
    return hasKey && result ? result : null;
  };
}

function groupsOf(
  selection: Selection,
  typename: string,
  facts: RepresentationFacts,
  isEntity: boolean,
): readonly Group[] {
  let groups = selection.byType.get(typename);
  if (!groups) {
    groups = compileGroups(selection.nodes, typename, facts, isEntity);
    selection.byType.set(typename, groups);
  }
  return groups;
}

function compileGroups(
  nodes: readonly QueryPlanSelectionNode[],
  typename: string,
  facts: RepresentationFacts,
  isEntity: boolean,
): Group[] {
  const { types, subgraph, isBrought } = facts;
  const own: Field[] = [];
  const groups: Group[] = [];
  const isWanted = (key: string): boolean => !isEntity || key === '__typename' || isBrought(key, typename);
  const ownNodes = nodes.filter((node) => node.kind === 'Field' && isWanted(node.alias ?? node.name));
  for (const node of nodes) {
    if (node.kind === 'Field') {
      if (!isWanted(node.alias ?? node.name)) continue;
      const selection = node.selections ? { nodes: node.selections, byType: new Map<string, Group[]>() } : undefined;
      own.push({ key: node.alias ?? node.name, selection });
    } else if (node.typeCondition !== undefined && types.applies(node.typeCondition, typename)) {
      groups.push(...compileGroups(node.selections, typename, facts, isEntity));
    }
  }
  if (own.length === 0) return groups;
  const keys = types.keysOf(subgraph, typename);
  return [{ fields: own, hasKey: keys.length === 0 || keys.some((key) => covers(ownNodes, key)) }, ...groups];
}

/** Whether what is selected has all fields of a key. */
function covers(nodes: readonly QueryPlanSelectionNode[], key: SelectionSetNode): boolean {
  return key.selections.every((wanted) => {
    if (wanted.kind !== Kind.FIELD) return true;
    const field = nodes.find((node) => node.kind === 'Field' && (node.alias ?? node.name) === wanted.name.value);
    if (field?.kind !== 'Field') return false;
    return !wanted.selectionSet || covers(field.selections ?? [], wanted.selectionSet);
  });
}

/** What is selected of an object below an entity; undefined when a field is missing. */
function select(source: DataObject, selection: Selection, facts: RepresentationFacts): DataObject | undefined {
  const typename = source['__typename'];
  const groups = groupsOf(selection, typeof typename === 'string' ? typename : '', facts, false);
  let result: DataObject = {};
  for (const [at, group] of groups.entries()) {
    const part = take(source, group.fields, facts);
    if (part === undefined) return undefined;
    result = at === 0 ? part : unite(result, part);
  }
  return result;
}

function take(source: DataObject, fields: readonly Field[], facts: RepresentationFacts): DataObject | undefined {
  const part: DataObject = {};
  for (const { key, selection } of fields) {
    const value = read(source, key);
    const taken = selection ? takeValue(value, selection, facts) : value;
    if (taken === undefined) return undefined;
    write(part, key, taken);
  }
  return part;
}

function takeValue(value: unknown, selection: Selection, facts: RepresentationFacts): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (!Array.isArray(value)) return select(value as DataObject, selection, facts);
  const items: unknown[] = [];
  for (const item of value as unknown[]) {
    const taken = takeValue(item, selection, facts);
    if (taken === undefined) return undefined;
    items.push(taken);
  }
  return items;
}

/** Two groups may name the same object with different fields. */
function unite(before: DataObject, after: DataObject): DataObject {
  for (const key in after) {
    write(before, key, Object.hasOwn(before, key) ? uniteValues(before[key], after[key]) : after[key]);
  }
  return before;
}

function uniteValues(before: unknown, after: unknown): unknown {
  if (Array.isArray(before) && Array.isArray(after)) {
    return before.map((item: unknown, index) => uniteValues(item, after[index] as unknown));
  }
  return isDataObject(before) && isDataObject(after) ? unite(before, after) : after;
}

/** Equal for equal representations of one fetch, different for different ones. */
export function representationKey(representation: DataObject): string {
  let text = '';
  for (const key in representation) {
    const value = representation[key];
    if (typeof value === 'string') text += `${key}:${value.length}:${value}`;
    else if (typeof value === 'number') text += `${key}#${value};`;
    else return JSON.stringify(representation);
  }
  return text;
}
