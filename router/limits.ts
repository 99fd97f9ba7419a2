// What an operation may ask at most. Measured once on the parsed document, before validation, and the same for HTTP and sockets.
import { Kind } from 'graphql';
import type { DocumentNode, FragmentDefinitionNode, SelectionSetNode } from 'graphql';
import { CodedError } from '../service/errors.ts';
import type { ErrorCode } from '../service/errors.ts';

/** The most that one operation may have, fragments counted wherever they are spread. */
export interface Limits {
  /** Lexical tokens of the document; the parser stops there. */
  readonly maxTokens: number;
  /** Fields inside fields. */
  readonly maxDepth: number;
  /** Fields in all. */
  readonly maxHeight: number;
  readonly maxAliases: number;
  /** Fields of the root type. */
  readonly maxRootFields: number;
}

/** The measures of an operation, or the largest of a document's operations. */
export interface Measures {
  readonly depth: number;
  readonly height: number;
  readonly aliases: number;
  readonly rootFields: number;
}

const nothing: Measures = { depth: 0, height: 0, aliases: 0, rootFields: 0 };

/** Measures every operation of a document and gives the largest of each. Linear in the document, whatever fragments do. */
export function measureDocument(document: DocumentNode): Measures {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  }
  const known = new Map<string, Measures>();

  const ofFragment = (name: string): Measures => {
    const measured = known.get(name);
    if (measured !== undefined) return measured;
    // A fragment that spreads itself adds nothing here; validation refuses it afterwards.
    known.set(name, nothing);
    const fragment = fragments.get(name);
    const measures = fragment === undefined ? nothing : ofSelections(fragment.selectionSet);
    known.set(name, measures);
    return measures;
  };

  const ofSelections = ({ selections }: SelectionSetNode): Measures => {
    let { depth, height, aliases, rootFields } = nothing;
    for (const selection of selections) {
      if (selection.kind === Kind.FIELD) {
        const inner = selection.selectionSet === undefined ? nothing : ofSelections(selection.selectionSet);
        depth = Math.max(depth, inner.depth + 1);
        height += inner.height + 1;
        aliases += inner.aliases + (selection.alias === undefined ? 0 : 1);
        rootFields += 1;
      } else {
        const inner =
          selection.kind === Kind.INLINE_FRAGMENT
            ? ofSelections(selection.selectionSet)
            : ofFragment(selection.name.value);
        depth = Math.max(depth, inner.depth);
        height += inner.height;
        aliases += inner.aliases;
        rootFields += inner.rootFields;
      }
    }
    return { depth, height, aliases, rootFields };
  };

  return document.definitions.reduce<Measures>((largest, definition) => {
    if (definition.kind !== Kind.OPERATION_DEFINITION) return largest;
    const { depth, height, aliases, rootFields } = ofSelections(definition.selectionSet);
    return {
      depth: Math.max(largest.depth, depth),
      height: Math.max(largest.height, height),
      aliases: Math.max(largest.aliases, aliases),
      rootFields: Math.max(largest.rootFields, rootFields),
    };
  }, nothing);
}

/** One error for each limit that the measures are over; empty when all is well. */
export function overLimits(measures: Measures, limits: Limits): CodedError[] {
  const checks: readonly (readonly [ErrorCode, string, number, number])[] = [
    ['MAX_DEPTH_LIMIT', 'depth', measures.depth, limits.maxDepth],
    ['MAX_HEIGHT_LIMIT', 'height', measures.height, limits.maxHeight],
    ['MAX_ALIASES_LIMIT', 'number of aliases', measures.aliases, limits.maxAliases],
    ['MAX_ROOT_FIELDS_LIMIT', 'number of root fields', measures.rootFields, limits.maxRootFields],
  ];
  return checks.flatMap(([code, what, measured, limit]) =>
    measured <= limit
      ? []
      : [new CodedError(code, `The operation's ${what} is ${String(measured)}; ${String(limit)} is allowed.`)],
  );
}
