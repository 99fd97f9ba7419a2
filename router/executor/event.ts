// Answers the primary fetch of a subscription from an event: what the fetch asks for, taken from the plain payload.
import { baseType, isObjectType, type NamedType } from '@apollo/federation-internals';
import type { FetchNode } from '@apollo/query-planner';
import { Kind, parse } from 'graphql';
import type { FragmentDefinitionNode, SelectionSetNode } from 'graphql';
import type { Supergraph } from '../supergraph.ts';
import { copy, type DataObject } from './data.ts';
import { applyRewrites } from './rewrite.ts';
import { typeIndexOf } from './types.ts';

/** Makes the answer of the primary fetch from the payload of the root field. The payload is copied, never changed. */
export type EventAnswer = (payload: unknown) => DataObject;

interface Selected {
  readonly key: string;
  readonly name: string;
  readonly type: NamedType | undefined;
  readonly nested: SelectionSetNode | undefined;
}

/** Compiles the answer of a primary fetch. Its conditions are left to the response: an event costs nothing to read. */
export function compileEventAnswer(primary: FetchNode, supergraph: Supergraph): EventAnswer {
  const { definitions } = parse(primary.operation, { noLocation: true });
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const one of definitions) if (one.kind === Kind.FRAGMENT_DEFINITION) fragments.set(one.name.value, one);
  const operation = definitions.find((one) => one.kind === Kind.OPERATION_DEFINITION);
  const { schema } = supergraph.planner.supergraph;
  const types = typeIndexOf(supergraph);
  const selectedOf = new Map<SelectionSetNode, Map<string, readonly Selected[]>>();

  const select = (set: SelectionSetNode, typename: string): readonly Selected[] => {
    const byType = selectedOf.get(set) ?? new Map<string, readonly Selected[]>();
    selectedOf.set(set, byType);
    let selected = byType.get(typename);
    if (!selected) {
      selected = collect(set, typename);
      byType.set(typename, selected);
    }
    return selected;
  };
  const collect = (set: SelectionSetNode, typename: string): Selected[] => {
    const type = schema.type(typename);
    const parent = type?.kind === 'ObjectType' || type?.kind === 'InterfaceType' ? type : undefined;
    return set.selections.flatMap((selection): Selected[] => {
      if (selection.kind === Kind.FIELD) {
        const name = selection.name.value;
        const type = parent?.field(name)?.type;
        const fieldType = type && baseType(type);
        return [{ key: selection.alias?.value ?? name, name, type: fieldType, nested: selection.selectionSet }];
      }
      const fragment = selection.kind === Kind.FRAGMENT_SPREAD ? fragments.get(selection.name.value) : selection;
      const condition = fragment?.typeCondition?.name.value;
      if (!fragment || (condition !== undefined && !types.applies(condition, typename))) return [];
      return collect(fragment.selectionSet, typename);
    });
  };

  const project = (value: unknown, type: NamedType | undefined, set: SelectionSetNode): unknown => {
    if (Array.isArray(value)) return value.map((item) => project(item, type, set));
    if (typeof value !== 'object' || value === null) return value ?? null;
    const payload = value as DataObject;
    const given = payload['__typename'];
    const isOfOneType = type !== undefined && isObjectType(type);
    const typename = isOfOneType || typeof given !== 'string' ? (type?.name ?? '') : given;
    const result: DataObject = {};
    for (const { key, name, type: fieldType, nested } of select(set, typename)) {
      if (name === '__typename') {
        if (isOfOneType || given !== undefined) result[key] = typename;
        continue;
      }
      const taken = Object.hasOwn(payload, name) ? payload[name] : null;
      // Two fragments may select different fields of one object.
      if (nested) types.merge(result, { [key]: project(taken, fieldType, nested) }, false);
      else result[key] = copy(taken) ?? null;
    }
    return result;
  };

  return (payload) => {
    const data: DataObject = {};
    const root = schema.schemaDefinition.rootType('subscription');
    if (!operation || !root) return data;
    for (const { key, type, nested } of select(operation.selectionSet, root.name)) {
      data[key] = nested ? project(payload, type, nested) : payload;
    }
    if (primary.outputRewrites) applyRewrites(primary.outputRewrites, data, types);
    return data;
  };
}
