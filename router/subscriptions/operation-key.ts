// What two subscriptions must have in common to get the same bytes: the selection, and the variables that it uses.
import { Kind, print, visit } from 'graphql';
import type { DocumentNode, FieldNode, FragmentDefinitionNode, OperationDefinitionNode } from 'graphql';
import { createHash } from 'node:crypto';
import type { CompiledOperation } from '../executor/operation.ts';

/** What the engine knows of a subscription document, computed once. */
export interface OperationShape {
  /** The one root field. */
  readonly field: FieldNode;
  /** Hash of the document without its name, the arguments of the root field and what it does not use. */
  readonly hash: string;
  /** Variables used elsewhere than in the arguments of the root field. */
  readonly variables: readonly string[];
  /** Whether a field called `cursor` may be selected. */
  readonly selectsCursor: boolean;
}

const shapes = new WeakMap<CompiledOperation, OperationShape | undefined>();

/** The shape of a valid subscription; undefined when it has no root field (all of it skipped). */
export function operationShape(compiled: CompiledOperation): OperationShape | undefined {
  if (!shapes.has(compiled)) shapes.set(compiled, shapeOf(compiled));
  return shapes.get(compiled);
}

function shapeOf({ document, operation }: CompiledOperation): OperationShape | undefined {
  const fragments = new Map(
    document.definitions.filter((one) => one.kind === Kind.FRAGMENT_DEFINITION).map((one) => [one.name.value, one]),
  );
  const root = findRootField(operation, fragments);
  if (root === undefined) return undefined;

  const used = new Set<FragmentDefinitionNode>();
  const variables = new Set<string>();
  let selectsCursor = false;
  const strip = <Node extends OperationDefinitionNode | FragmentDefinitionNode>(node: Node): Node =>
    visit<Node>(node, {
      Field(field) {
        if (field.name.value === 'cursor') selectsCursor = true;
        return field === root ? { ...field, arguments: [] } : undefined;
      },
      VariableDefinition: () => null,
      Variable(variable) {
        variables.add(variable.name.value);
      },
      FragmentSpread(spread) {
        const fragment = fragments.get(spread.name.value);
        if (fragment !== undefined) used.add(fragment);
      },
    });

  const { name: _name, ...anonymous } = strip(operation);
  const definitions: DocumentNode['definitions'][number][] = [anonymous];
  // A set may grow while it is walked: fragments of fragments.
  for (const fragment of used) definitions.push(strip(fragment));
  const text = print({ kind: Kind.DOCUMENT, definitions });
  return {
    field: root,
    hash: createHash('sha256').update(text).digest('base64url').slice(0, 22),
    variables: [...variables].sort(),
    selectsCursor,
  };
}

function findRootField(
  { selectionSet }: OperationDefinitionNode | FragmentDefinitionNode,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
): FieldNode | undefined {
  const pending = [...selectionSet.selections];
  for (const selection of pending) {
    if (selection.kind === Kind.FIELD) {
      if (!selection.name.value.startsWith('__')) return selection;
    } else if (selection.kind === Kind.INLINE_FRAGMENT) {
      pending.push(...selection.selectionSet.selections);
    } else {
      pending.push(...(fragments.get(selection.name.value)?.selectionSet.selections ?? []));
    }
  }
  return undefined;
}
