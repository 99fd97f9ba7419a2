// Shapes data with all that the specification asks for: nulls rise, and each thing that is wrong is told with its path.
// It is the slow way, taken when a fetch failed or the fast way met something odd.
import type { DataObject } from './data.ts';
import type { FieldShape, ObjectShape, TypeShape } from './shape.ts';

export type Path = ReadonlyArray<string | number>;

/** Something that a subgraph should not have sent. */
export interface Violation {
  readonly message: string;
  /** In the client's keys. */
  readonly path: Path;
  /** Whether an error of a subgraph may explain it: then it needs none of its own. */
  readonly isNull: boolean;
  /** Whether nothing came at all: then an error of what stands beside it may be why. */
  readonly isMissing: boolean;
}

/** A shaped response. */
export interface Shaped {
  readonly data: DataObject | null;
  readonly violations: readonly Violation[];
  /** Where data should have come from a fetch and has not, in the client's keys. */
  readonly missing: readonly Path[];
}

/** Answers `__schema` and `__type`. */
export type IntrospectionResolver = (field: FieldShape) => unknown;

const maxMissing = 1_000;

/** A null that must not stand here, and has been told of. */
const rising = Symbol('rising');

/** Shapes the root object. */
export function shapeExactly(shape: ObjectShape, data: DataObject, introspect: IntrospectionResolver): Shaped {
  const violations: Violation[] = [];
  const missing: Path[] = [];
  const path: (string | number)[] = [];

  const shapeObject = (object: DataObject, of: ObjectShape): DataObject | typeof rising => {
    const result: [string, unknown][] = [];
    for (const field of of.fields) {
      path.push(field.key);
      const given = field.isRefused ? null : own(object, field.dataKey);
      const value = field.type ? shapePosition(given, field.type, of, field) : shapeMeta(of, field, introspect);
      path.pop();
      if (value === rising) return rising;
      result.push([field.key, value]);
    }
    // fromEntries makes own properties of every key, `__proto__` too.
    return Object.fromEntries(result);
  };

  const shapeMeta = (of: ObjectShape, field: FieldShape, resolve: IntrospectionResolver): unknown => {
    if (field.name !== '__typename') return field.isRefused ? null : resolve(field);
    return of.typename;
  };

  const shapePosition = (value: unknown, type: TypeShape, parent: ObjectShape, field: FieldShape): unknown => {
    if (type.kind !== 'nonNull') {
      const shaped = shapeValue(value, type, parent, field);
      return shaped === rising ? null : shaped;
    }
    const shaped = shapeValue(value, type.of, parent, field);
    if (shaped !== null) return shaped;
    const message = `Cannot return null for non-nullable field ${parent.typename}.${field.name}.`;
    return violate(message, true, value === undefined);
  };

  const shapeValue = (value: unknown, type: TypeShape, parent: ObjectShape, field: FieldShape): unknown => {
    if (value === undefined && missing.length < maxMissing) missing.push([...path]);
    if (value === undefined || value === null) return null;
    const position = `${parent.typename}.${field.name}`;
    if (type.kind === 'leaf') {
      const leaf = leafValue(value, type);
      return leaf === undefined ? violate(`Invalid value found for ${position}.`) : leaf;
    }
    if (type.kind === 'list') {
      if (!Array.isArray(value)) return violate(`Expected a list for ${position}.`);
      const items: unknown[] = [];
      for (let i = 0; i < value.length; i++) {
        path.push(i);
        const item = shapePosition(value[i] ?? null, type.of, parent, field);
        path.pop();
        if (item === rising) return rising;
        items.push(item);
      }
      return items;
    }
    if (type.kind === 'nonNull') return shapePosition(value, type, parent, field);
    if (typeof value !== 'object' || Array.isArray(value)) return violate(`Expected an object for ${position}.`);
    const typename = (value as DataObject)['__typename'];
    const shape = type.selection.of(typeof typename === 'string' ? typename : undefined);
    if (!shape) return violate(`Invalid __typename found for ${position}.`);
    if (!shape.isUndecided) return shapeObject(value as DataObject, shape);
    if (missing.length < maxMissing) missing.push([...path]);
    return violate(`The type of ${position} is not known.`, true);
  };

  const violate = (message: string, isNull = false, isMissing = false): typeof rising => {
    violations.push({ message, path: [...path], isNull, isMissing });
    return rising;
  };

  const shaped = shapeObject(data, shape);
  return { data: shaped === rising ? null : shaped, violations, missing };
}

/** The payload of an event has the field names of its schema as keys, whatever they are. */
const own = (object: DataObject, key: string): unknown => (Object.hasOwn(object, key) ? object[key] : undefined);

const maxInt = 2 ** 31 - 1;
const minInt = -(2 ** 31);

/** The value of a scalar or enum as the client gets it; undefined when it is none of the type. */
export function leafValue(value: unknown, type: TypeShape & { kind: 'leaf' }): unknown {
  if (type.values) return typeof value === 'string' && type.values.has(value) ? value : undefined;
  switch (type.name) {
    case 'String':
      return typeof value === 'string' ? value : undefined;
    case 'ID':
      return typeof value === 'string' ? value : Number.isInteger(value) ? String(value) : undefined;
    case 'Boolean':
      return typeof value === 'boolean' ? value : undefined;
    case 'Int':
      return Number.isInteger(value) && (value as number) >= minInt && (value as number) <= maxInt ? value : undefined;
    case 'Float':
      return Number.isFinite(value) ? value : undefined;
    default:
      return value;
  }
}
