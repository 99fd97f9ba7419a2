// Makes the representations that an entity fetch sends: what its `requires` names, taken from objects of the tree.
import type { QueryPlanSelectionNode } from '@apollo/query-planner';
import { Kind } from 'graphql';
import type { SelectionSetNode } from 'graphql';
import { compileCode } from './code.ts';
import { isDataObject, type DataObject } from './data.ts';
import type { TypeIndex } from './types.ts';

/** Makes the representations of objects of one type. */
export interface RepresentationBuilder {
  /**
   * The representation; null when the object lacks all that is required. Of several fragments those are sent whose fields
   * are there.
   */
  readonly build: (entity: DataObject) => DataObject | null;
  /** The only field that tells two objects of the type apart; undefined when there are several. */
  readonly only: KeyField | undefined;
}

/** Reads a field, and makes a representation of its value. */
export interface KeyField {
  readonly read: (entity: DataObject) => unknown;
  readonly make: (typename: string, value: unknown) => DataObject;
}

/** Finds the builder for objects of a type; undefined when the fetch is not for them. */
export type FindBuilder = (typename: string) => RepresentationBuilder | undefined;

/** What decides a representation besides the `requires`. */
export interface RepresentationFacts {
  readonly types: TypeIndex;
  /** Who is asked. */
  readonly subgraph: string;
  /** Whether any other fetch brings a key to objects of a type: the planner requires some of all types that it needs of one. */
  readonly isBrought: (key: string, typename: string) => boolean;
}

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

/** What is taken of an object below the entity. */
interface Selection {
  readonly nodes: readonly QueryPlanSelectionNode[];
  readonly byType: Map<string, readonly Group[]>;
}

/** Compiles the `requires` of a fetch. Each type that comes by is worked out once. */
export function compileRepresentation(
  requires: readonly QueryPlanSelectionNode[],
  facts: RepresentationFacts,
): FindBuilder {
  const builders = new Map<string, RepresentationBuilder | undefined>();
  return (typename) => {
    if (builders.has(typename)) return builders.get(typename);
    const builder = compileBuilder(compileGroups(requires, typename, facts, true), typename, facts);
    // Names that no type has are not remembered: a subgraph could send any number of them.
    if (builder) builders.set(typename, builder);
    return builder;
  };
}

function compileBuilder(
  groups: readonly Group[],
  typename: string,
  facts: RepresentationFacts,
): RepresentationBuilder | undefined {
  // Without a key in all that it would be sent, the fetch is for objects of other types (the planner asks for what one
  // type requires on the whole interface).
  if (!groups.some(({ hasKey }) => hasKey)) return undefined;
  const [first] = groups;
  const fields = first?.fields.filter(({ key }) => key !== '__typename') ?? [];
  const [field] = fields;
  if (groups.length === 1 && fields.length === 1 && field && !field.selection) {
    const only = keyFieldFor(field.key);
    const build = (entity: DataObject): DataObject | null => {
      const value = only.read(entity);
      return value === undefined ? null : only.make(typename, value);
    };
    return { build, only };
  }
  const build = (entity: DataObject): DataObject | null => {
    let result: DataObject | undefined;
    let hasKey = false;
    for (const group of groups) {
      const part = take(entity, group.fields, facts);
      if (part === undefined) continue;
      hasKey ||= group.hasKey;
      result = result === undefined ? part : unite(result, part);
    }
    return hasKey && result ? result : null;
  };
  return { build, only: undefined };
}

const keyFields = new Map<string, KeyField>();

/** Written out for each name, which makes it several times as fast. There are as many as key fields in supergraphs. */
function keyFieldFor(name: string): KeyField {
  let field = keyFields.get(name);
  if (!field) {
    const key = JSON.stringify(name);
    const read = name in Object.prototype ? `Object.hasOwn(e,${key})?e[${key}]:undefined` : `e[${key}]`;
    field = {
      read: compileCode(['e'], `return ${read}`) as KeyField['read'],
      make: compileCode(['t', 'v'], `return{__typename:t,${key}:v}`) as KeyField['make'],
    };
    keyFields.set(name, field);
  }
  return field;
}

function groupsOf(selection: Selection, typename: string, facts: RepresentationFacts): readonly Group[] {
  let groups = selection.byType.get(typename);
  if (!groups) {
    groups = compileGroups(selection.nodes, typename, facts, false);
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
  const groups = groupsOf(selection, typeof typename === 'string' ? typename : '', facts);
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
    const value = key in Object.prototype && !Object.hasOwn(source, key) ? undefined : source[key];
    const taken = selection ? takeValue(value, selection, facts) : value;
    if (taken === undefined) return undefined;
    part[key] = taken;
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
    before[key] = Object.hasOwn(before, key) ? uniteValues(before[key], after[key]) : after[key];
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
