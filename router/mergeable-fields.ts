// Whether fields that answer under one name can be merged, as the specification asks of a document ("Field Selection Merging"). The
// verdict is graphql-js's, which compares each field with each other, and gives up after half a second of it even where all is well.
// To be the same, and to have the same shape, are equivalences: here each field is compared with the first of its place only.
import { GraphQLError, isLeafType, isListType, isNonNullType, isObjectType, Kind, print } from 'graphql';
import type {
  FieldNode,
  GraphQLCompositeType,
  GraphQLOutputType,
  SelectionSetNode,
  ValidationContext,
  ValidationRule,
  ValueNode,
} from 'graphql';

interface Place {
  readonly number: number;
  readonly parent: GraphQLCompositeType;
  readonly type: GraphQLOutputType;
}

interface Conflict {
  readonly nodes: readonly [FieldNode, FieldNode];
  readonly reason: string;
}

/**
 * In place of graphql-js's `OverlappingFieldsCanBeMergedRule`, for documents that are valid otherwise: their fragments make no ring,
 * their fields exist. Tells the first conflict of each operation.
 */
export const mergeableFieldsRule: ValidationRule = (context) => {
  const places = new Map<FieldNode, Place>();
  return {
    Field(node) {
      const parent = context.getParentType();
      const type = context.getType();
      if (parent && type) places.set(node, { number: places.size, parent, type });
    },
    Document: {
      leave({ definitions }) {
        const conflictIn = createComparison(context, places);
        for (const definition of definitions) {
          if (definition.kind !== Kind.OPERATION_DEFINITION) continue;
          const conflict = conflictIn(definition.selectionSet);
          if (conflict !== undefined) context.reportError(conflictError(conflict));
        }
      },
    },
  };
};

function createComparison(context: ValidationContext, places: ReadonlyMap<FieldNode, Place>) {
  const texts = new Map<FieldNode, string>();
  const textOf = (node: FieldNode): string => {
    let text = texts.get(node);
    if (text === undefined) {
      text = `${node.name.value}${argumentsText(node)}`;
      texts.set(node, text);
    }
    return text;
  };
  const placeOf = (node: FieldNode): Place => {
    const place = places.get(node);
    if (place === undefined) throw new Error('a field that does not exist has passed validation');
    return place;
  };

  /** Fields by the name that they answer under, each node once, however often it is spread. */
  const collect = (selectionSets: readonly SelectionSetNode[]): Map<string, FieldNode[]> => {
    const fields = new Map<string, FieldNode[]>();
    const seen = new Set<SelectionSetNode>();
    const add = (selectionSet: SelectionSetNode): void => {
      if (seen.has(selectionSet)) return;
      seen.add(selectionSet);
      for (const selection of selectionSet.selections) {
        if (selection.kind === Kind.FIELD) {
          const name = (selection.alias ?? selection.name).value;
          const others = fields.get(name);
          if (others === undefined) fields.set(name, [selection]);
          else others.push(selection);
        } else if (selection.kind === Kind.INLINE_FRAGMENT) add(selection.selectionSet);
        else {
          const fragment = context.getFragment(selection.name.value);
          if (fragment) add(fragment.selectionSet);
        }
      }
    };
    for (const selectionSet of selectionSets) add(selectionSet);
    return fields;
  };

  /** Walks all places of an answer, those that hold the same fields once, and compares the fields of each that have to agree. */
  const comparing = (
    agreeing: (nodes: readonly FieldNode[]) => readonly (readonly FieldNode[])[],
    reasonAgainst: (first: FieldNode, other: FieldNode) => string | undefined,
  ) => {
    const known = new Set<string>();
    const walk = (selectionSets: readonly SelectionSetNode[]): Conflict | undefined => {
      const fields = collect(selectionSets);
      const key = [...fields.values()].flatMap((nodes) => nodes.map((node) => placeOf(node).number)).join();
      if (known.has(key)) return undefined;
      known.add(key);
      for (const nodes of [...fields.values()].flatMap(agreeing)) {
        const [first, ...others] = nodes;
        if (first === undefined) continue;
        for (const other of others) {
          const reason = reasonAgainst(first, other);
          if (reason !== undefined) return { nodes: [first, other], reason };
        }
        const inside = nodes.flatMap(({ selectionSet }) => selectionSet ?? []);
        const conflict = inside.length === 0 ? undefined : walk(inside);
        if (conflict !== undefined) return conflict;
      }
      return undefined;
    };
    return walk;
  };

  /** Where two fields may both be answered, they have to be the same: all but those of two object types. */
  const haveToBeSame = comparing(
    (nodes) => togetherAnswered(nodes, (node) => placeOf(node).parent),
    (first, other) => {
      if (textOf(first) === textOf(other)) return undefined;
      const [name, otherName] = [first.name.value, other.name.value];
      return name === otherName
        ? 'they have differing arguments'
        : `"${shortened(name)}" and "${shortened(otherName)}" are different fields`;
    },
  );
  /**
   * Even where only one of them can be answered, what it is made of has to be known: lists, nulls, values. Like graphql-js, and unlike
   * the specification, this lets `__typename` stand for anything.
   */
  const haveToLookAlike = comparing(
    (nodes) => [nodes.filter(({ name }) => !name.value.startsWith('__'))],
    (first, other) => {
      const [type, otherType] = [placeOf(first).type, placeOf(other).type];
      return looksLike(type, otherType)
        ? undefined
        : `they return conflicting types "${String(type)}" and "${String(otherType)}"`;
    },
  );
  return (selectionSet: SelectionSetNode): Conflict | undefined =>
    haveToBeSame([selectionSet]) ?? haveToLookAlike([selectionSet]);
}

/** Sets of fields that may be answered together: those of each object type, each with those of all abstract types. */
function togetherAnswered(
  nodes: readonly FieldNode[],
  parentOf: (node: FieldNode) => GraphQLCompositeType,
): readonly (readonly FieldNode[])[] {
  if (nodes.length === 1) return [nodes];
  const byParent = Map.groupBy(nodes, parentOf);
  const ofObjects = [...byParent].filter(([parent]) => isObjectType(parent)).map(([, own]) => own);
  if (ofObjects.length < 2) return [nodes];
  const ofAbstracts = [...byParent].filter(([parent]) => !isObjectType(parent)).flatMap(([, own]) => own);
  return ofObjects.map((own) => [...ofAbstracts, ...own]);
}

function looksLike(one: GraphQLOutputType, other: GraphQLOutputType): boolean {
  if (isNonNullType(one)) return isNonNullType(other) && looksLike(one.ofType, other.ofType);
  if (isListType(one)) return isListType(other) && looksLike(one.ofType, other.ofType);
  if (isNonNullType(other) || isListType(other)) return false;
  return isLeafType(one) || isLeafType(other) ? one === other : true;
}

/** Arguments and the fields of input objects come in any order. */
const argumentsText = ({ arguments: given = [] }: FieldNode): string =>
  given
    .map(({ name, value }) => `(${name.value}:${valueText(value)})`)
    .toSorted()
    .join('');

function valueText(value: ValueNode): string {
  if (value.kind === Kind.LIST) return `[${value.values.map(valueText).join()}]`;
  if (value.kind !== Kind.OBJECT) return print(value);
  const fields = value.fields.map(({ name, value: inner }) => `${name.value}:${valueText(inner)}`);
  return `{${fields.toSorted().join()}}`;
}

const shortened = (name: string): string => (name.length <= 100 ? name : `${name.slice(0, 100)}…`);

function conflictError({ nodes, reason }: Conflict): GraphQLError {
  const name = shortened((nodes[0].alias ?? nodes[0].name).value);
  return new GraphQLError(
    `Fields "${name}" conflict because ${reason}. Use different aliases on the fields to fetch both if this was intentional.`,
    { nodes },
  );
}
