// An operation together with all that its fields require, at any remove: what `requirement-plan.ts` lets be planned.
import type { CompositeType } from '@apollo/federation-internals';
import { baseType, isCompositeType } from '@apollo/federation-internals';
import { Kind } from 'graphql';
import type { DocumentNode, SelectionNode, SelectionSetNode } from 'graphql';
import type { Supergraph } from '../supergraph.ts';
import { fragmentOn } from './fetch-text.ts';
import { requirementsOf } from './requirement-index.ts';

/** A document with requirements. */
export interface RequirementDocument {
  readonly document: DocumentNode;
  /** Whether a requirement leads to another one, or one field is required with different arguments. */
  readonly hasMet: boolean;
}

/** Adds to a document what its fields require. Its fragments must be spread on fields, not on one another in a circle. */
export function withRequirements(supergraph: Supergraph, document: DocumentNode): RequirementDocument {
  const { schema } = supergraph.planner.supergraph;
  const { forField } = requirementsOf(supergraph);
  const keys = new Map<string, string>();
  let hasMet = false;

  /** `chain` is the fields whose requirements led here, `added` what was added for the same objects already. */
  const extend = (
    { selections }: SelectionSetNode,
    type: CompositeType,
    chain: readonly string[],
    added = new Set<string>(),
  ): SelectionSetNode => ({
    kind: Kind.SELECTION_SET,
    selections: selections.flatMap((one): SelectionNode[] => {
      if (one.kind === Kind.FRAGMENT_SPREAD) return [one];
      if (one.kind === Kind.INLINE_FRAGMENT) {
        const condition = typeNamed(one.typeCondition?.name.value) ?? type;
        return [{ ...one, selectionSet: extend(one.selectionSet, condition, chain) }];
      }
      const name = one.name.value;
      const field = 'fields' in type ? type.field(name) : undefined;
      const below = field?.type && baseType(field.type);
      if (chain.length > 0) {
        const key = one.alias?.value ?? name;
        hasMet ||= (keys.get(`${type.name}.${name}`) ?? key) !== key;
        keys.set(`${type.name}.${name}`, key);
      }
      const whole =
        one.selectionSet && below && isCompositeType(below)
          ? { ...one, selectionSet: extend(one.selectionSet, below, chain) }
          : one;
      const required = forField(type.name, name).flatMap((requirement) => {
        const coordinate = `${requirement.type}.${name}`;
        const condition = typeNamed(requirement.type);
        hasMet ||= chain.length > 0;
        if (!condition || added.has(coordinate) || chain.includes(coordinate)) return [];
        added.add(coordinate);
        const extended = extend(requirement.selection, condition, [...chain, coordinate], added);
        return [fragmentOn(condition.name, extended.selections)];
      });
      return [whole, ...required];
    }),
  });
  const typeNamed = (name: string | undefined): CompositeType | undefined => {
    const type = name === undefined ? undefined : schema.type(name);
    return type && isCompositeType(type) ? type : undefined;
  };

  const definitions = document.definitions.map((definition) => {
    if (definition.kind !== Kind.OPERATION_DEFINITION && definition.kind !== Kind.FRAGMENT_DEFINITION)
      return definition;
    const type =
      definition.kind === Kind.OPERATION_DEFINITION
        ? schema.schemaDefinition.rootType(definition.operation)
        : typeNamed(definition.typeCondition.name.value);
    return type ? { ...definition, selectionSet: extend(definition.selectionSet, type, []) } : definition;
  });
  return { document: { kind: Kind.DOCUMENT, definitions }, hasMet };
}
