// Makes an operation that shows a difference as small as it can be, so that a person can read it.
import { Kind, parse, print, validate, visit, BREAK } from 'graphql';
import type { ASTNode, DocumentNode, GraphQLSchema } from 'graphql';

/** Removes parts of a document for as long as `stillDiffers` holds of what is left. */
export async function shrink(
  schema: GraphQLSchema,
  document: DocumentNode,
  stillDiffers: (document: DocumentNode) => Promise<boolean>,
): Promise<DocumentNode> {
  let smallest = document;
  for (let at = 0; ;) {
    const { changed, document: next } = withoutPart(smallest, at);
    if (!changed) return smallest;
    const isSmaller = next !== undefined && isValid(schema, next) && (await stillDiffers(next));
    if (isSmaller) smallest = next;
    else at++;
  }
}

const removable = new Set<string>([
  Kind.FIELD,
  Kind.INLINE_FRAGMENT,
  Kind.FRAGMENT_SPREAD,
  Kind.DIRECTIVE,
  Kind.ARGUMENT,
  Kind.FRAGMENT_DEFINITION,
  Kind.VARIABLE_DEFINITION,
]);

/** The document with its n-th candidate removed, or a fragment replaced by what is in it. */
function withoutPart(document: DocumentNode, index: number): { changed: boolean; document: DocumentNode | undefined } {
  let count = 0;
  let changed = false;
  const fragments = new Map(
    document.definitions.flatMap((one) => (one.kind === Kind.FRAGMENT_DEFINITION ? [[one.name.value, one]] : [])),
  );
  const candidate = (): boolean => {
    if (changed || count++ !== index) return false;
    changed = true;
    return true;
  };
  const edited: DocumentNode = visit(document, {
    enter(node: ASTNode) {
      if (changed) return undefined;
      if (node.kind === Kind.FRAGMENT_SPREAD && candidate()) {
        const fragment = fragments.get(node.name.value);
        if (!fragment) return null;
        return {
          kind: Kind.INLINE_FRAGMENT,
          typeCondition: fragment.typeCondition,
          directives: node.directives ?? [],
          selectionSet: fragment.selectionSet,
        };
      }
      if (removable.has(node.kind) && candidate()) return null;
      if (node.kind === Kind.FIELD && node.alias && candidate()) return { ...node, alias: undefined };
      return undefined;
    },
  });
  if (!changed) return { changed, document: undefined };
  try {
    return { changed, document: parse(print(withoutUnused(edited))) };
  } catch {
    return { changed, document: undefined };
  }
}

function withoutUnused(document: DocumentNode): DocumentNode {
  const isUsed = (kind: string, name: string): boolean => {
    let found = false;
    for (const definition of document.definitions) {
      visit(definition, {
        enter(node: ASTNode, key) {
          if (node.kind === kind && 'name' in node && node.name?.value === name && key !== 'variable') found = true;
          return found ? BREAK : undefined;
        },
      });
    }
    return found;
  };
  return {
    ...document,
    definitions: document.definitions
      .filter((one) => one.kind !== Kind.FRAGMENT_DEFINITION || isUsed(Kind.FRAGMENT_SPREAD, one.name.value))
      .map((one) =>
        one.kind === Kind.OPERATION_DEFINITION && one.variableDefinitions
          ? {
              ...one,
              variableDefinitions: one.variableDefinitions.filter(({ variable }) =>
                isUsed(Kind.VARIABLE, variable.name.value),
              ),
            }
          : one,
      ),
  };
}

function isValid(schema: GraphQLSchema, document: DocumentNode): boolean {
  try {
    return validate(schema, document).length === 0;
  } catch {
    return false;
  }
}
