// Leaves out what no object can match, as in `... on Film { ... on Named { ... on Book { title } } }`. It is valid and brings nothing, but
// the planner (2.14.4) follows it through interface objects, and then forgets to ask for the types by which to leave it out.
import { isAbstractType, Kind, visit } from 'graphql';
import type { ASTNode, DocumentNode, FieldNode, GraphQLSchema } from 'graphql';

const typename: FieldNode = { kind: Kind.FIELD, name: { kind: Kind.NAME, value: '__typename' } };

/** The document without inline fragments whose conditions exclude each other. A selection of which nothing is left asks for `__typename`. */
export function withoutUnmatchable(document: DocumentNode, schema: GraphQLSchema): DocumentNode {
  const typesOf = (condition: string): readonly string[] => {
    const type = schema.getType(condition);
    return isAbstractType(type) ? schema.getPossibleTypes(type).map(({ name }) => name) : [condition];
  };
  return visit(document, {
    InlineFragment(node, _key, _parent, _path, ancestors) {
      const [first = [], ...others] = conditionsOf([...ancestors, node]).map(typesOf);
      const isMatchable =
        node.typeCondition === undefined || first.some((type) => others.every((types) => types.includes(type)));
      return isMatchable ? undefined : null;
    },
    SelectionSet: {
      leave: (node) => (node.selections.length > 0 ? undefined : { ...node, selections: [typename] }),
    },
  });
}

/** The type conditions between a node and the field or definition that it stands in. */
function conditionsOf(nodes: readonly (ASTNode | readonly ASTNode[])[]): string[] {
  const conditions: string[] = [];
  for (const node of nodes.toReversed()) {
    if (!('kind' in node)) continue;
    if (node.kind === Kind.FIELD || node.kind === Kind.OPERATION_DEFINITION) break;
    if (node.kind === Kind.INLINE_FRAGMENT || node.kind === Kind.FRAGMENT_DEFINITION) {
      if (node.typeCondition) conditions.push(node.typeCondition.name.value);
    }
  }
  return conditions;
}
