// The plain payload of a random event: all that the events subgraph says of its type, as a broker would bring it.
import { getArgumentValues, getNamedType, isLeafType, isObjectType, Kind } from 'graphql';
import type { FieldNode, GraphQLObjectType, SelectionSetNode } from 'graphql';
import type { CompiledOperation } from '../operation.ts';
import type { Bench } from './differential.ts';
import type { Node } from './world.ts';

/** The payload of the subscription's root field. Where the world breaks, the payload has null. */
export function eventPayload(
  bench: Bench,
  operation: CompiledOperation,
  variables: Readonly<Record<string, unknown>>,
): unknown {
  const field = rootField(operation, operation.operation.selectionSet);
  const root = bench.graph.supergraph.schema.getSubscriptionType();
  const events = bench.graph.schemas.get('events');
  const definition = field && root?.getFields()[field.name.value];
  if (!root || !events || !definition) throw new Error('There is no such subscription.');
  const value = valueOrNull(() =>
    bench.world().value(root.name, root.name, definition.name, getArgumentValues(definition, field, { ...variables })),
  );
  const type = events.getType(getNamedType(definition.type).name);
  return isObjectType(type) ? payloadOf(bench, value, type) : value;
}

function payloadOf(bench: Bench, value: unknown, type: GraphQLObjectType): unknown {
  if (value instanceof Error) return null;
  if (Array.isArray(value)) return value.map((item: unknown) => payloadOf(bench, item, type));
  if (typeof value !== 'object' || value === null) return value;
  const node = value as Node;
  return Object.fromEntries(
    Object.values(type.getFields()).map((field) => {
      const held = valueOrNull(() => bench.world().value(node.type, node.id, field.name, {}));
      const named = getNamedType(field.type);
      return [field.name, isLeafType(named) || !isObjectType(named) ? held : payloadOf(bench, held, named)];
    }),
  );
}

function valueOrNull(make: () => unknown): unknown {
  try {
    return make();
  } catch {
    return null;
  }
}

function rootField({ document }: CompiledOperation, set: SelectionSetNode): FieldNode | undefined {
  for (const selection of set.selections) {
    if (selection.kind === Kind.FIELD) return selection;
    const spread = selection.kind === Kind.FRAGMENT_SPREAD ? selection.name.value : undefined;
    const fragment =
      selection.kind === Kind.INLINE_FRAGMENT
        ? selection
        : document.definitions.find((one) => one.kind === Kind.FRAGMENT_DEFINITION && one.name.value === spread);
    const found =
      fragment && 'selectionSet' in fragment
        ? rootField({ document } as CompiledOperation, fragment.selectionSet)
        : undefined;
    if (found) return found;
  }
  return undefined;
}
