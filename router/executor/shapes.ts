// The shapes of one operation: one for each combination of its @skip and @include variables, made when it first comes by.
import type { DocumentNode, FieldNode, OperationDefinitionNode } from 'graphql';
import type { Supergraph } from '../supergraph.ts';
import type { DataObject } from './data.ts';
import { resolveIntrospection } from './introspection.ts';
import { compileFastShaper, type FastShaper } from './shape-fast.ts';
import { shapeExactly, type Shaped } from './shape-exact.ts';
import { compileShape, conditionVariablesOf, type ObjectShape, type Selectable } from './shape.ts';

/** Finds the shaper for given variables. */
export interface Shapes {
  readonly for: (variables: Readonly<Record<string, unknown>>) => Shaper;
}

/** Shapes data into a response. */
export interface Shaper {
  /** The response of clean data, where what is missing is null; undefined when `exactly` has to be asked. */
  readonly quickly: (data: DataObject) => DataObject | undefined;
  readonly exactly: (data: DataObject, variables: Readonly<Record<string, unknown>>) => Shaped;
}

/** The operation that is shaped. */
export interface ShapesSource {
  readonly supergraph: Supergraph;
  readonly document: DocumentNode;
  readonly operation: OperationDefinitionNode;
}

/** So many combinations of conditions are kept for one operation. */
const maxShapers = 64;

/** Makes the shapes of an operation; see `compileShape` for `permitted`. */
export function createShapes(
  source: ShapesSource,
  whole: Selectable,
  permitted: Selectable | undefined,
  keyOf: (field: FieldNode) => string,
): Shapes {
  const { supergraph, operation } = source;
  const conditions = conditionVariablesOf(whole);
  const shapers = new Map<string, Shaper>();
  return {
    for: (variables) => {
      let key = '';
      for (const name of conditions) key += variables[name] === true ? '1' : '0';
      let shaper = shapers.get(key);
      if (!shaper) {
        const rootType = supergraph.schema.getRootType(operation.operation);
        if (!rootType) throw new Error(`The schema has no ${operation.operation} type.`);
        const shape = compileShape(
          { schema: supergraph.schema, variables, dataKeyOf: keyOf },
          rootType,
          whole,
          permitted,
        );
        shaper = createShaper(source, shape);
        if (shapers.size >= maxShapers) shapers.clear();
        shapers.set(key, shaper);
      }
      return shaper;
    },
  };
}

function createShaper(source: ShapesSource, shape: ObjectShape): Shaper {
  let fast: FastShaper | undefined;
  let uses = 0;
  return {
    quickly: (data) => {
      // An operation that is executed once is not worth the compiling.
      if (++uses === 2) fast = compileFastShaper(shape, source.supergraph.schema);
      return fast?.(data);
    },
    exactly: (data, variables) => shapeExactly(shape, data, (field) => resolveIntrospection(source, field, variables)),
  };
}
