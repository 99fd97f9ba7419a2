// Makes the representations that an entity fetch sends: what its `requires` names, taken from objects of the tree.
import type { QueryPlanSelectionNode } from '@apollo/query-planner';
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

/** What applies to one type: a group is taken whole or not at all. The first has the fields outside fragments. */
type Groups = ReadonlyArray<readonly Field[]>;

interface Selection {
  readonly nodes: readonly QueryPlanSelectionNode[];
  readonly byType: Map<string, Groups>;
}

/** Compiles the `requires` of a fetch. Each type that comes by is worked out once. */
export function compileRepresentation(
  requires: readonly QueryPlanSelectionNode[],
  types: TypeIndex,
): RepresentationBuilder {
  const root: Selection = { nodes: requires, byType: new Map() };
  return (entity, isPartOk) => {
    const representation = select(entity, root, types, isPartOk);
    if (!representation) return null;
    if (typeof representation['__typename'] === 'string') return representation;
    // Either nothing applied to the object, or only a part that is incomplete.
    const typename = entity['__typename'];
    return (root.byType.get(typeof typename === 'string' ? typename : '')?.length ?? 0) > 1 ? null : undefined;
  };
}

function select(source: DataObject, selection: Selection, types: TypeIndex, isPartOk: boolean): DataObject | undefined {
  const typename = source['__typename'];
  const name = typeof typename === 'string' ? typename : '';
  let groups = selection.byType.get(name);
  if (!groups) {
    groups = groupsFor(selection.nodes, name, types);
    selection.byType.set(name, groups);
  }
  let result: DataObject | undefined;
  for (let at = 0; at < groups.length; at++) {
    const part = take(source, groups[at] as readonly Field[], types, isPartOk);
    if (part !== undefined) result = result === undefined ? part : unite(result, part);
    else if (at === 0 || !isPartOk) return undefined;
  }
  return result;
}

function take(
  source: DataObject,
  group: readonly Field[],
  types: TypeIndex,
  isPartOk: boolean,
): DataObject | undefined {
  const part: DataObject = {};
  for (const { key, selection } of group) {
    const value = read(source, key);
    const taken = selection ? takeValue(value, selection, types, isPartOk) : value;
    if (taken === undefined) return undefined;
    write(part, key, taken);
  }
  return part;
}

function takeValue(value: unknown, selection: Selection, types: TypeIndex, isPartOk: boolean): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (!Array.isArray(value)) return select(value as DataObject, selection, types, isPartOk);
  const items: unknown[] = [];
  for (const item of value as unknown[]) {
    const taken = takeValue(item, selection, types, isPartOk);
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

function groupsFor(nodes: readonly QueryPlanSelectionNode[], typename: string, types: TypeIndex): Groups {
  const own: Field[] = [];
  const groups: Field[][] = [own];
  for (const node of nodes) {
    if (node.kind === 'Field') {
      const selection = node.selections ? { nodes: node.selections, byType: new Map<string, Groups>() } : undefined;
      own.push({ key: node.alias ?? node.name, selection });
    } else if (node.typeCondition !== undefined && typename !== '' && types.applies(node.typeCondition, typename)) {
      for (const group of groupsFor(node.selections, typename, types)) groups.push([...group]);
    }
  }
  return groups;
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
