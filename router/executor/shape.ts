// What the response of an operation looks like: for each object type that may stand at a place, its fields in the order
// of graphql-js, with fragments and conditions resolved. Compiled once for each combination of @skip and @include.
import {
  isAbstractType,
  isEnumType,
  isInterfaceType,
  isListType,
  isNonNullType,
  isObjectType,
  isScalarType,
  Kind,
} from 'graphql';
import type {
  FieldNode,
  FragmentDefinitionNode,
  GraphQLCompositeType,
  GraphQLInterfaceType,
  GraphQLObjectType,
  GraphQLOutputType,
  GraphQLSchema,
  SelectionSetNode,
} from 'graphql';
import { isIncluded } from './conditions.ts';

/** The fields of one type at one place. */
export interface ObjectShape {
  readonly typename: string;
  /** Whether this is an interface, its object type unknown, and what is selected depends on the object type. */
  readonly isUndecided: boolean;
  readonly fields: readonly FieldShape[];
}

/** One field of the response. */
export interface FieldShape {
  /** In the response. */
  readonly key: string;
  /** In the data. */
  readonly dataKey: string;
  readonly name: string;
  /** Absent for `__typename`, `__schema` and `__type`. */
  readonly type?: TypeShape;
  readonly nodes: readonly FieldNode[];
  /** Whether the viewer may not have it: it is null, whatever the data says. */
  readonly isRefused: boolean;
}

/** A field's type with what is selected of it. */
export type TypeShape =
  | { readonly kind: 'nonNull'; readonly of: TypeShape }
  | { readonly kind: 'list'; readonly of: TypeShape }
  | { readonly kind: 'leaf'; readonly name: string; readonly values: ReadonlySet<string> | undefined }
  | { readonly kind: 'composite'; readonly selection: SelectionShape };

/** A selection on an object, an interface or a union. */
export interface SelectionShape {
  readonly type: GraphQLCompositeType;
  /** The shape of an object whose data says it is of `typename`; undefined when that cannot stand here. */
  readonly of: (typename: string | undefined) => ObjectShape | undefined;
}

/** What decides a shape. */
export interface ShapeSource {
  readonly schema: GraphQLSchema;
  readonly variables: Readonly<Record<string, unknown>>;
  readonly dataKeyOf: (field: FieldNode) => string;
}

/** The selection sets of one place, and those of the part that the viewer may have. The same list when that is all. */
interface Sets {
  readonly all: readonly SelectionSetNode[];
  readonly permitted: readonly SelectionSetNode[];
}

/** A selection with the fragments that it may spread. */
export interface Selectable {
  readonly selectionSet: SelectionSetNode;
  readonly fragments: ReadonlyMap<string, FragmentDefinitionNode>;
}

/**
 * Compiles the selection of a root type, or of one that a deferred fragment stands on. Types are worked out when data of them first comes by.
 * @param permitted the same selection without what the viewer may not have; undefined when nothing is left.
 */
export function compileShape(
  source: ShapeSource,
  rootType: GraphQLCompositeType,
  whole: Selectable,
  permitted: Selectable | undefined,
): ObjectShape {
  const { schema } = source;
  const selections = new Map<string, SelectionShape>();
  const nodeIds = new Map<SelectionSetNode, number>();
  const idOf = (node: SelectionSetNode): number => {
    const id = nodeIds.get(node) ?? nodeIds.size;
    nodeIds.set(node, id);
    return id;
  };

  const selectionOf = (type: GraphQLCompositeType, sets: Sets): SelectionShape => {
    // The same nodes under several object types share one shape, or nested interfaces would multiply.
    const key = `${type.name} ${sets.all.map(idOf).join(' ')} of ${sets.permitted.map(idOf).join(' ')}`;
    let selection = selections.get(key);
    if (!selection) {
      const shapes = new Map<string | undefined, ObjectShape | undefined>();
      selection = {
        type,
        of: (typename) => {
          if (isObjectType(type)) typename = type.name;
          if (shapes.has(typename)) return shapes.get(typename);
          const runtimeType = runtimeTypeOf(schema, type, typename);
          const shape = runtimeType && shapeOf(runtimeType, sets);
          // Names that no type has are not remembered: a subgraph could send any number of them.
          if (shape) shapes.set(typename, shape);
          return shape;
        },
      };
      selections.set(key, selection);
    }
    return selection;
  };

  const typeShapeOf = (type: GraphQLOutputType, sets: Sets): TypeShape => {
    if (isNonNullType(type)) return { kind: 'nonNull', of: typeShapeOf(type.ofType, sets) };
    if (isListType(type)) return { kind: 'list', of: typeShapeOf(type.ofType, sets) };
    if (isEnumType(type)) {
      return { kind: 'leaf', name: type.name, values: new Set(type.getValues().map(({ name }) => name)) };
    }
    if (isScalarType(type)) return { kind: 'leaf', name: type.name, values: undefined };
    return { kind: 'composite', selection: selectionOf(type, sets) };
  };

  const shapeOf = (type: GraphQLCompositeType, { all, permitted: allowed }: Sets): ObjectShape => {
    const collected = collect(type, all, whole.fragments);
    const left = all === allowed ? collected : collect(type, allowed, permitted?.fragments ?? new Map());
    const fields: FieldShape[] = [];
    for (const [key, nodes] of collected.fields) {
      const [first] = nodes as [FieldNode];
      const name = first.name.value;
      const definition = 'getFields' in type ? type.getFields()[name] : undefined;
      const leftNodes = left.fields.get(key);
      const shape = { key, dataKey: source.dataKeyOf(first), name, nodes, isRefused: leftNodes === undefined };
      if (name.startsWith('__')) fields.push(shape);
      else if (definition) {
        const sets = setsOf(nodes);
        const below = leftNodes === nodes ? sets : setsOf(leftNodes ?? []);
        fields.push({ ...shape, type: typeShapeOf(definition.type, { all: sets, permitted: below }) });
      }
    }
    const dependsOnType = collected.hasOtherTypes || fields.some(({ name }) => name === '__typename');
    return { typename: type.name, isUndecided: !isObjectType(type) && dependsOnType, fields };
  };

  const collect = (
    type: GraphQLCompositeType,
    sets: readonly SelectionSetNode[],
    fragments: Selectable['fragments'],
  ): Collected => {
    const collected: Collected = { fields: new Map(), visited: new Set(), hasOtherTypes: false };
    for (const set of sets) collectFields({ ...source, fragments }, type, set, collected);
    return collected;
  };

  const all = [whole.selectionSet];
  return shapeOf(rootType, { all, permitted: permitted === whole ? all : permitted ? [permitted.selectionSet] : [] });
}

const setsOf = (nodes: readonly FieldNode[]): SelectionSetNode[] => nodes.flatMap((node) => node.selectionSet ?? []);

interface Collected {
  readonly fields: Map<string, FieldNode[]>;
  readonly visited: Set<string>;
  /** Whether a fragment was left out that is for other types. */
  hasOtherTypes: boolean;
}

/** CollectFields of the GraphQL specification. */
function collectFields(
  source: ShapeSource & Pick<Selectable, 'fragments'>,
  type: GraphQLCompositeType,
  set: SelectionSetNode,
  collected: Collected,
): void {
  for (const selection of set.selections) {
    if (!isIncluded(selection, source.variables)) continue;
    if (selection.kind === Kind.FIELD) {
      const key = selection.alias?.value ?? selection.name.value;
      const nodes = collected.fields.get(key);
      if (nodes) nodes.push(selection);
      else collected.fields.set(key, [selection]);
      continue;
    }
    const spread = selection.kind === Kind.FRAGMENT_SPREAD ? selection.name.value : undefined;
    if (spread !== undefined && collected.visited.has(spread)) continue;
    if (spread !== undefined) collected.visited.add(spread);
    const fragment = selection.kind === Kind.FRAGMENT_SPREAD ? source.fragments.get(selection.name.value) : selection;
    const condition = fragment?.typeCondition?.name.value;
    if (!fragment) continue;
    if (condition === undefined || applies(source.schema, condition, type)) {
      collectFields(source, type, fragment.selectionSet, collected);
    } else {
      collected.hasOtherTypes = true;
    }
  }
}

function applies(schema: GraphQLSchema, condition: string, type: GraphQLCompositeType): boolean {
  if (condition === type.name) return true;
  const conditionType = schema.getType(condition);
  return isAbstractType(conditionType) && isConcrete(type) && schema.isSubType(conditionType, type);
}

/** The type to take the fields of. Without a name it is the abstract type itself, which knows its own fields. */
function runtimeTypeOf(
  schema: GraphQLSchema,
  type: GraphQLCompositeType,
  typename: string | undefined,
): GraphQLCompositeType | undefined {
  if (typename === undefined || typename === type.name) return type;
  const runtimeType = schema.getType(typename);
  if (!isConcrete(runtimeType) || !isAbstractType(type)) return undefined;
  return schema.isSubType(type, runtimeType) ? runtimeType : undefined;
}

const isConcrete = (type: unknown): type is GraphQLObjectType | GraphQLInterfaceType =>
  isObjectType(type) || isInterfaceType(type);
