// Estimates what an operation costs at most, before it is run, as IBM's GraphQL cost directives say: its type cost counts the
// objects that may be returned, its field cost the fields that may be resolved, each with its weight. It errs upwards: a type
// condition counts as met, by the most expensive type that may stand there.
import {
  getDirectiveValues,
  getNamedType,
  GraphQLIncludeDirective,
  GraphQLSkipDirective,
  isAbstractType,
  isCompositeType,
  isInputObjectType,
  isListType,
  isNonNullType,
  isUnionType,
  Kind,
  SchemaMetaFieldDef,
  TypeMetaFieldDef,
  valueFromAST,
} from 'graphql';
import type {
  FieldNode,
  FragmentDefinitionNode,
  GraphQLCompositeType,
  GraphQLField,
  GraphQLInputType,
  GraphQLNamedType,
  GraphQLOutputType,
  GraphQLSchema,
  SelectionNode,
  SelectionSetNode,
} from 'graphql';
import { CodedError } from '../service/errors.ts';
import type { CostRules, FieldRule, ListSize } from './cost-rules.ts';
import type { CompiledOperation } from './executor/operation.ts';
import { introspectionSizes } from './introspection-sizes.ts';

export interface Cost {
  readonly typeCost: number;
  readonly fieldCost: number;
}

export interface Estimate extends Cost {
  /** Lists that are asked for without exactly one of their slicing arguments, where one is required. */
  readonly errors: readonly CodedError[];
}

type Variables = Readonly<Record<string, unknown>>;

/** A field of a selection: all nodes that answer under one name. */
interface SelectedField {
  readonly node: FieldNode;
  readonly selectionSets: SelectionSetNode[];
}

const none: Cost = { typeCost: 0, fieldCost: 0 };
/** Beyond it numbers lose units, and products of them lose all meaning. */
const most = Number.MAX_SAFE_INTEGER;

/**
 * Estimates an operation.
 * @param variables as coerced by the types of the schema.
 * @param listSize what a list without `@listSize` is taken to hold.
 */
export function estimateCost(
  { supergraph, document, operation }: Pick<CompiledOperation, 'supergraph' | 'document' | 'operation'>,
  variables: Variables,
  listSize: number,
): Estimate {
  const { schema, costRules } = supergraph;
  const root = schema.getRootType(operation.operation);
  if (!root) return { ...none, errors: [] };
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  }
  const errors: CodedError[] = [];

  /** The fields of one object, without the object itself. `sizes` are those that the field above told of its list. */
  const ofSelections = (
    parent: GraphQLCompositeType,
    sets: readonly SelectionSetNode[],
    sizes?: ReadonlyMap<string, number>,
  ): Cost => {
    const fields = new Map<string, SelectedField>();
    const conditional = new Map<GraphQLCompositeType, SelectionSetNode[]>();
    const collect = (selection: SelectionNode): void => {
      if (isLeftOut(selection, variables)) return;
      if (selection.kind === Kind.FIELD) {
        const key = selection.alias?.value ?? selection.name.value;
        const field = fields.get(key) ?? { node: selection, selectionSets: [] };
        fields.set(key, field);
        if (selection.selectionSet !== undefined) field.selectionSets.push(selection.selectionSet);
        return;
      }
      const fragment = selection.kind === Kind.FRAGMENT_SPREAD ? fragments.get(selection.name.value) : selection;
      if (fragment === undefined) return;
      const condition = fragment.typeCondition && schema.getType(fragment.typeCondition.name.value);
      if (condition === undefined || covers(schema, condition, parent)) {
        fragment.selectionSet.selections.forEach(collect);
      } else if (isCompositeType(condition)) {
        conditional.set(condition, [...(conditional.get(condition) ?? []), fragment.selectionSet]);
      }
    };
    for (const set of sets) set.selections.forEach(collect);

    let total = none;
    for (const field of fields.values()) total = sum(total, ofField(parent, field, sizes));
    if (conditional.size === 0) return total;
    const costs = [...conditional].map(([type, of]) => [type, ofSelections(type, of, sizes)] as const);
    const possible = isAbstractType(parent) ? schema.getPossibleTypes(parent) : [parent];
    const dearest = possible
      .map((type) => costs.reduce((sofar, [on, cost]) => (covers(schema, on, type) ? sum(sofar, cost) : sofar), none))
      .reduce(larger, none);
    return sum(total, dearest);
  };

  const ofField = (
    parent: GraphQLCompositeType,
    { node, selectionSets }: SelectedField,
    sizes: ReadonlyMap<string, number> | undefined,
  ): Cost => {
    const definition = fieldOf(schema, parent, node.name.value);
    if (definition === undefined) return none;
    const type = getNamedType(definition.type);
    const rule = ruleOf(schema, costRules, parent, node.name.value);
    const told = rule?.listSize === undefined ? undefined : sliceOf(rule.listSize, parent, node, definition);
    const inside = told !== undefined && (rule?.listSize?.sizedFields.length ?? 0) > 0;
    const own = sizes?.get(node.name.value) ?? (inside ? undefined : told);
    const known = own ?? introspectionSizes(schema).get(`${parent.name}.${node.name.value}`);
    const count = countOf(definition.type, known, listSize);
    const below = inside ? new Map(rule?.listSize?.sizedFields.map((name) => [name, told])) : undefined;
    const each = isCompositeType(type) ? ofSelections(type, selectionSets, below) : none;
    const weight = (rule?.weight ?? (isCompositeType(type) ? 1 : 0)) + ofArguments(node, definition, rule);
    return {
      typeCost: bounded(count * (typeWeight(schema, costRules, type) + each.typeCost)),
      fieldCost: bounded(weight + count * each.fieldCost),
    };
  };

  const ofArguments = (node: FieldNode, definition: GraphQLField<unknown, unknown>, rule: FieldRule | undefined) => {
    let weight = 0;
    for (const argument of node.arguments ?? []) {
      const type = definition.args.find(({ name }) => name === argument.name.value)?.type;
      if (type === undefined) continue;
      const composite = isInputObjectType(getNamedType(type));
      weight += rule?.arguments.get(argument.name.value) ?? (composite ? 1 : 0);
      if (composite) weight += ofInput(type, valueFromAST(argument.value, type, variables));
    }
    return weight;
  };

  /** A variable is weighed once, however many arguments it is given to. */
  const weights = new Map<object, number>();
  const ofInput = (type: GraphQLInputType, value: unknown): number => {
    if (typeof value !== 'object' || value === null) return 0;
    const weight = weights.get(value) ?? weigh(type, value);
    weights.set(value, weight);
    return weight;
  };

  const weigh = (type: GraphQLInputType, value: object): number => {
    if (isNonNullType(type)) return weigh(type.ofType, value);
    if (Array.isArray(value)) {
      const item = isListType(type) ? type.ofType : type;
      return value.reduce<number>((weight, one) => weight + ofInput(item, one), 0);
    }
    const named = getNamedType(type);
    if (!isInputObjectType(named)) return 0;
    let weight = 0;
    for (const [name, given] of Object.entries(value)) {
      const field = named.getFields()[name];
      if (field === undefined) continue;
      const composite = isInputObjectType(getNamedType(field.type));
      weight += costRules.inputFields.get(`${named.name}.${name}`) ?? (composite ? 1 : 0);
      if (composite) weight += ofInput(field.type, given);
    }
    return weight;
  };

  /** How many values the slicing arguments ask for, else what is assumed. */
  const sliceOf = (
    { slicingArguments, assumedSize, requireOneSlicingArgument }: ListSize,
    parent: GraphQLCompositeType,
    node: FieldNode,
    { args }: GraphQLField<unknown, unknown>,
  ): number => {
    const given: number[] = [];
    const defaults: number[] = [];
    for (const path of slicingArguments) {
      const [name = '', ...rest] = path.split('.');
      const argument = args.find((one) => one.name === name);
      const value = node.arguments?.find((one) => one.name.value === name)?.value;
      const explicit = value && argument && sizeAt(valueFromAST(value, argument.type, variables), rest);
      if (explicit !== undefined) given.push(explicit);
      const byDefault = explicit ?? sizeAt(argument?.defaultValue, rest);
      if (byDefault !== undefined) defaults.push(byDefault);
    }
    if (requireOneSlicingArgument && slicingArguments.length > 0 && (given.length > 1 || defaults.length === 0)) {
      const message = `${parent.name}.${node.name.value} must be asked for with exactly one of ${slicingArguments.join(', ')}.`;
      errors.push(new CodedError('SLICING_ARGUMENT_REQUIRED', message));
    }
    const sizes = given.length > 0 ? given : defaults;
    return sizes.length > 0 ? Math.max(...sizes) : (assumedSize ?? listSize);
  };

  const selected = ofSelections(root, [operation.selectionSet]);
  return {
    typeCost: Math.max(0, bounded(typeWeight(schema, costRules, root) + selected.typeCost)),
    fieldCost: Math.max(0, selected.fieldCost),
    errors,
  };
}

const bounded = (cost: number): number => Math.min(cost, most);
const sum = (a: Cost, b: Cost): Cost => ({
  typeCost: bounded(a.typeCost + b.typeCost),
  fieldCost: bounded(a.fieldCost + b.fieldCost),
});
const larger = (a: Cost, b: Cost): Cost => ({
  typeCost: Math.max(a.typeCost, b.typeCost),
  fieldCost: Math.max(a.fieldCost, b.fieldCost),
});

function isLeftOut(node: SelectionNode, variables: Variables): boolean {
  if (node.directives === undefined || node.directives.length === 0) return false;
  return (
    getDirectiveValues(GraphQLSkipDirective, node, variables)?.['if'] === true ||
    getDirectiveValues(GraphQLIncludeDirective, node, variables)?.['if'] === false
  );
}

/** Whether every object of `type` meets the condition. */
function covers(schema: GraphQLSchema, condition: GraphQLNamedType, type: GraphQLCompositeType): boolean {
  if (condition === type) return true;
  return isAbstractType(condition) && !isUnionType(type) && schema.isSubType(condition, type);
}

function fieldOf(
  schema: GraphQLSchema,
  parent: GraphQLCompositeType,
  name: string,
): GraphQLField<unknown, unknown> | undefined {
  if (parent === schema.getQueryType()) {
    if (name === SchemaMetaFieldDef.name) return SchemaMetaFieldDef;
    if (name === TypeMetaFieldDef.name) return TypeMetaFieldDef;
  }
  return isUnionType(parent) ? undefined : parent.getFields()[name];
}

/** The rule of a field; where an interface has none of its own, the dearest of its implementations. */
function ruleOf(
  schema: GraphQLSchema,
  rules: CostRules,
  parent: GraphQLCompositeType,
  name: string,
): FieldRule | undefined {
  const own = rules.fields.get(`${parent.name}.${name}`);
  if (own !== undefined || !isAbstractType(parent)) return own;
  return schema
    .getPossibleTypes(parent)
    .flatMap((type) => rules.fields.get(`${type.name}.${name}`) ?? [])
    .reduce<FieldRule | undefined>(
      (dearest, rule) => (dearest === undefined || (rule.weight ?? 0) > (dearest.weight ?? 0) ? rule : dearest),
      undefined,
    );
}

function typeWeight(schema: GraphQLSchema, rules: CostRules, type: GraphQLNamedType): number {
  const own = rules.types.get(type.name);
  if (own !== undefined) return own;
  if (!isAbstractType(type)) return isCompositeType(type) ? 1 : 0;
  return Math.max(1, ...schema.getPossibleTypes(type).map(({ name }) => rules.types.get(name) ?? 1));
}

/** The number of values of a field: its list's size, that of each list inside the list as assumed. */
function countOf(type: GraphQLOutputType, known: number | undefined, listSize: number): number {
  if (isNonNullType(type)) return countOf(type.ofType, known, listSize);
  if (!isListType(type)) return 1;
  return (known ?? listSize) * countOf(type.ofType, undefined, listSize);
}

/** The size that a value tells: a number, or the length of a list. */
function sizeAt(value: unknown, path: readonly string[]): number | undefined {
  const [key, ...rest] = path;
  if (key !== undefined) {
    return typeof value === 'object' && value !== null ? sizeAt((value as Variables)[key], rest) : undefined;
  }
  if (Array.isArray(value)) return value.length;
  return typeof value === 'number' && !Number.isNaN(value) ? Math.max(0, value) : undefined;
}
