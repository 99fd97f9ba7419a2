// An operation with `@defer`, planned and compiled: the plan's blocks, and how each part is shaped where it stands.
import type { GraphQLCompositeType } from 'graphql';
import { isDataObject, type DataObject } from './data.ts';
import { decidingVariablesOf, hasDefer, runtimeTypeOf, splitOperation, type DeferredPart } from './defer.ts';
import { resolveIntrospection } from './introspection.ts';
import { dataKeysFor, documentToPlan } from './keys.ts';
import { decideOverrides, type Overrides } from './overrides.ts';
import type { CompiledPlan } from './plan.ts';
import { shapeExactly, type Path, type Shaped } from './shape-exact.ts';
import { compileShape, type ObjectShape } from './shape.ts';
import { typeIndexOf } from './types.ts';
import { createShaper, planOf, type Shaper, type VariantSource } from './variants.ts';

/** An operation with its conditions decided, of which something is deferred. */
export interface Deferral {
  readonly plan: CompiledPlan;
  /** Shapes what is answered at once. */
  readonly shaper: Shaper;
  readonly parts: readonly DeferredPart[];
  /** Where a part stands in a response: nowhere when what it adds to is null. */
  readonly placesOf: (part: DeferredPart, response: DataObject, data: DataObject) => PartPlace[];
  /** Shapes a part at one place. Paths in the result begin there. */
  readonly shapePart: (part: DeferredPart, object: DataObject, variables: Readonly<Record<string, unknown>>) => Shaped;
}

/** An object that a part adds to. */
export interface PartPlace {
  readonly path: Path;
  /** In the data. */
  readonly object: DataObject;
  /** In the response. */
  readonly target: DataObject;
}

/** Finds the deferral for given variables; undefined when nothing is deferred with them. */
export type FindDeferral = (variables: Readonly<Record<string, unknown>>) => Deferral | undefined;

/** So many combinations of conditions are kept for one operation. */
const maxDeferrals = 16;

/** Prepares the deferrals of an operation; made when they first come by. */
export function createDeferrals(source: VariantSource): FindDeferral {
  const { document, operation, permitted } = source;
  // What a viewer may have in part only is answered in one piece.
  const isWhole = permitted === document && operation.operation !== 'subscription';
  if (!isWhole || !hasDefer(document)) return () => undefined;
  const names = decidingVariablesOf(document);
  const known = new Map<string, Deferral | undefined>();
  return (variables) => {
    const overrides = decideOverrides(source.supergraph);
    const key = names.reduce(
      (start, name) => start + (variables[name] === true ? '1' : variables[name] === false ? '0' : '-'),
      overrides.key,
    );
    if (!known.has(key)) {
      if (known.size >= maxDeferrals) known.clear();
      const deciding = Object.fromEntries(names.map((name) => [name, variables[name]]));
      known.set(key, createDeferral(source, deciding, overrides));
    }
    return known.get(key);
  };
}

function createDeferral(
  source: VariantSource,
  variables: Readonly<Record<string, unknown>>,
  overrides: Overrides,
): Deferral | undefined {
  const { supergraph, document, operation } = source;
  const { schema } = supergraph;
  const keyOf = dataKeysFor(document, supergraph);
  const rootType = schema.getRootType(operation.operation);
  const { document: planned, primary, parts } = splitOperation({ supergraph, document, operation, keyOf, variables });
  if (parts.length === 0 || !rootType) return undefined;
  const plan = planOf(source, documentToPlan(planned, keyOf, variables, true), overrides);
  // The planner sees no use in it, or has to be kept from wrong plans.
  if (plan.blocks.length === 0) return undefined;

  const shapeSource = { schema, variables, dataKeyOf: keyOf };
  const types = typeIndexOf(supergraph);
  const shapes = new Map<DeferredPart, Map<GraphQLCompositeType, ObjectShape>>();
  const shapeOf = (part: DeferredPart, type: GraphQLCompositeType): ObjectShape => {
    const ofPart = shapes.get(part) ?? new Map<GraphQLCompositeType, ObjectShape>();
    shapes.set(part, ofPart);
    const shape = ofPart.get(type) ?? compileShape(shapeSource, type, part.selectable, part.selectable);
    ofPart.set(type, shape);
    return shape;
  };
  return {
    plan,
    parts,
    shaper: createShaper(source, compileShape(shapeSource, rootType, primary, primary)),
    placesOf: (part, response, data) => placesOf(part, response, data, types.applies),
    shapePart: (part, object, given) =>
      shapeExactly(shapeOf(part, runtimeTypeOf(part, object['__typename'], supergraph)), object, (field) =>
        resolveIntrospection(source, field, given),
      ),
  };
}

function placesOf(
  part: DeferredPart,
  response: DataObject,
  data: DataObject,
  applies: (condition: string, typename: string) => boolean,
): PartPlace[] {
  const places: PartPlace[] = [];
  const visit = (target: unknown, object: unknown, at: number, path: Path): void => {
    if (Array.isArray(target)) {
      const objects: readonly unknown[] = Array.isArray(object) ? object : [];
      target.forEach((item: unknown, index) => visit(item, objects[index], at, [...path, index]));
      return;
    }
    if (!isDataObject(target) || !isDataObject(object)) return;
    const step = part.path[at];
    const typename = object['__typename'];
    const conditions = step?.conditions ?? part.conditions;
    // An object whose type is not told is of the only type that can stand there.
    if (typeof typename === 'string' && !conditions.every((one) => applies(one, typename))) return;
    if (step) visit(target[step.key], object[step.dataKey], at + 1, [...path, step.key]);
    else places.push({ path, object, target });
  };
  visit(response, data, 0, []);
  return places;
}
