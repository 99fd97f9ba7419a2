// Reads what the parts of a supergraph cost: `@cost` and `@listSize`, as IBM's GraphQL cost directives and Apollo's link define them.
import { Kind } from 'graphql';
import type { ConstDirectiveNode, DocumentNode, FieldDefinitionNode, InputValueDefinitionNode } from 'graphql';
import { argumentsOf, directivesNamed, linkedDirective, schemaLinks } from './links.ts';

/** How many values a field returns. */
export interface ListSize {
  /** When no slicing argument tells. */
  readonly assumedSize: number | undefined;
  /** Arguments that tell how many; `filter.max` is a field of an input object. */
  readonly slicingArguments: readonly string[];
  /** Fields of the returned object that hold the list, as in a connection. Empty: the field itself is the list. */
  readonly sizedFields: readonly string[];
  /** Whether a request must give exactly one slicing argument. */
  readonly requireOneSlicingArgument: boolean;
}

export interface FieldRule {
  readonly weight: number | undefined;
  readonly listSize: ListSize | undefined;
  /** Weights of its arguments, as far as they are told. */
  readonly arguments: ReadonlyMap<string, number>;
}

/** The cost rules of a supergraph. What no rule names costs 1 when it is or returns a composite type, else 0. */
export interface CostRules {
  /** Weights of objects, scalars and enums. */
  readonly types: ReadonlyMap<string, number>;
  /** By `Type.field`. */
  readonly fields: ReadonlyMap<string, FieldRule>;
  /** Weights by `Input.field`. */
  readonly inputFields: ReadonlyMap<string, number>;
}

const spec = 'https://specs.apollo.dev/cost';

/** The names under which the directives stand in a document. */
export function costDirectives(document: DocumentNode): readonly string[] {
  const links = schemaLinks(document);
  return ['cost', 'listSize'].flatMap((name) => linkedDirective(links, spec, name) ?? []);
}

/** Reads every rule of a supergraph document. Empty when it does not link the specification. */
export function readCostRules(document: DocumentNode): CostRules {
  const links = schemaLinks(document);
  const cost = linkedDirective(links, spec, 'cost');
  const listSize = linkedDirective(links, spec, 'listSize');
  const types = new Map<string, number>();
  const fields = new Map<string, FieldRule>();
  const inputFields = new Map<string, number>();

  const weightOf = (node: { readonly directives?: readonly ConstDirectiveNode[] | undefined }): number | undefined => {
    const [use] = cost === undefined ? [] : directivesNamed(node, cost);
    return use === undefined ? undefined : numberOf(argumentsOf(use)['weight']);
  };
  const ruleOf = (field: FieldDefinitionNode): FieldRule => {
    const [use] = listSize === undefined ? [] : directivesNamed(field, listSize);
    return {
      weight: weightOf(field),
      listSize: use === undefined ? undefined : toListSize(argumentsOf(use)),
      arguments: weightsOf(field.arguments ?? [], weightOf),
    };
  };

  for (const definition of document.definitions) {
    if (definition.kind === Kind.INPUT_OBJECT_TYPE_DEFINITION) {
      for (const [name, weight] of weightsOf(definition.fields ?? [], weightOf)) {
        inputFields.set(`${definition.name.value}.${name}`, weight);
      }
    } else if (
      definition.kind === Kind.OBJECT_TYPE_DEFINITION ||
      definition.kind === Kind.INTERFACE_TYPE_DEFINITION ||
      definition.kind === Kind.SCALAR_TYPE_DEFINITION ||
      definition.kind === Kind.ENUM_TYPE_DEFINITION
    ) {
      const weight = weightOf(definition);
      if (weight !== undefined) types.set(definition.name.value, weight);
      for (const field of 'fields' in definition ? (definition.fields ?? []) : []) {
        const rule = ruleOf(field);
        if (rule.weight === undefined && rule.listSize === undefined && rule.arguments.size === 0) continue;
        fields.set(`${definition.name.value}.${field.name.value}`, rule);
      }
    }
  }
  return { types, fields, inputFields };
}

function weightsOf(
  values: readonly InputValueDefinitionNode[],
  weightOf: (node: InputValueDefinitionNode) => number | undefined,
): ReadonlyMap<string, number> {
  return new Map(
    values.flatMap((value) => {
      const weight = weightOf(value);
      return weight === undefined ? [] : [[value.name.value, weight]];
    }),
  );
}

function toListSize(given: Readonly<Record<string, unknown>>): ListSize {
  return {
    assumedSize: numberOf(given['assumedSize']),
    slicingArguments: namesOf(given['slicingArguments']),
    sizedFields: namesOf(given['sizedFields']),
    requireOneSlicingArgument: given['requireOneSlicingArgument'] !== false,
  };
}

/** IBM's weights are numbers in strings, Apollo's are integers. */
function numberOf(value: unknown): number | undefined {
  const number = typeof value === 'string' && value !== '' ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined;
}

const namesOf = (value: unknown): readonly string[] =>
  Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
