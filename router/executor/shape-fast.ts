// Shapes clean data as fast as JavaScript can: each object shape becomes a function with its keys written out. Whatever is
// not clean (a null that must rise, a wrong value, an unknown type) is left to the exact way.
import { isObjectType } from 'graphql';
import type { GraphQLSchema } from 'graphql';
import { compileCode } from './code.ts';
import type { DataObject } from './data.ts';
import type { ObjectShape, SelectionShape, TypeShape } from './shape.ts';

/** Shapes the root object; undefined when the exact way has to do it. */
export type FastShaper = (data: DataObject) => DataObject | undefined;

type MakeShaper = (
  bail: symbol,
  own: (object: DataObject, key: string) => unknown,
  sets: readonly ReadonlySet<string>[],
) => (data: DataObject) => DataObject;

/** More functions than this are not made for one operation; the exact way shapes those. */
const maxFunctions = 500;

const unclean = Symbol('unclean');

/** Makes the shaper of an operation; undefined when it would be too big or asks about the schema. */
export function compileFastShaper(root: ObjectShape, schema: GraphQLSchema): FastShaper | undefined {
  const functions: string[] = [];
  const objectFunctions = new Map<ObjectShape, string>();
  const selectionFunctions = new Map<SelectionShape, string>();
  const enums: ReadonlySet<string>[] = [];
  const limits = { isPossible: true };

  const newFunction = (prefix: string): string => {
    const name = `${prefix}${functions.length}`;
    functions.push('');
    if (functions.length > maxFunctions) limits.isPossible = false;
    return name;
  };
  const define = (name: string, parameter: string, body: string): void => {
    functions[Number(name.slice(1))] = `function ${name}(${parameter}){${body}}`;
  };

  const objectFunction = (shape: ObjectShape): string => {
    const known = objectFunctions.get(shape);
    if (known !== undefined || !limits.isPossible) return known ?? '';
    const name = newFunction('o');
    objectFunctions.set(shape, name);
    const reads: string[] = [];
    const properties = shape.fields.map((field, index) => {
      const key = field.key === '__proto__' ? '["__proto__"]' : JSON.stringify(field.key);
      if (!field.type) {
        if (field.name !== '__typename') limits.isPossible = false;
        return `${key}:${JSON.stringify(shape.typename)}`;
      }
      if (field.isRefused) return `${key}:${field.type.kind === 'nonNull' ? 'bail()' : 'null'}`;
      const dataKey = JSON.stringify(field.dataKey);
      reads.push(`f${index}=${field.dataKey in Object.prototype ? `own(v,${dataKey})` : `v[${dataKey}]`}`);
      return `${key}:${expression(`f${index}`, field.type, false)}`;
    });
    const body = reads.length > 0 ? `const ${reads.join(',')};` : '';
    define(name, 'v', `${body}return{${properties.join(',')}};`);
    return name;
  };

  const selectionFunction = (selection: SelectionShape): string => {
    const known = selectionFunctions.get(selection);
    if (known !== undefined || !limits.isPossible) return known ?? '';
    const name = newFunction('s');
    selectionFunctions.set(selection, name);
    const guard = 'if(typeof v!=="object"||isArray(v))throw unclean;';
    if (isObjectType(selection.type)) {
      const shape = selection.of(undefined);
      define(name, 'v', `${guard}return ${shape ? objectFunction(shape) : 'bail'}(v);`);
    } else {
      const cases = schema.getPossibleTypes(selection.type).map(({ name: typename }) => {
        const shape = selection.of(typename);
        return `case ${JSON.stringify(typename)}:return ${shape ? objectFunction(shape) : 'bail'}(v);`;
      });
      // Subgraphs with @interfaceObject know but the interface, which does as long as nobody asks for the type.
      const untyped = selection.of(undefined);
      if (untyped?.isUndecided === false) {
        cases.push(`case undefined:case ${JSON.stringify(untyped.typename)}:return ${objectFunction(untyped)}(v);`);
      }
      define(name, 'v', `${guard}switch(v.__typename){${cases.join('')}}throw unclean;`);
    }
    return name;
  };

  const listFunction = (of: TypeShape): string => {
    const name = newFunction('l');
    const item = expression('x', of, false);
    define(
      name,
      'v',
      `if(!isArray(v))throw unclean;const n=v.length,r=new Array(n);for(let i=0;i<n;i++){const x=v[i];r[i]=${item};}return r;`,
    );
    return name;
  };

  const expression = (value: string, type: TypeShape, isNonNull: boolean): string => {
    if (type.kind === 'nonNull') return expression(value, type.of, true);
    const ifNull = isNonNull ? 'bail()' : 'null';
    if (type.kind === 'composite') return `${value}==null?${ifNull}:${selectionFunction(type.selection)}(${value})`;
    if (type.kind === 'list') return `${value}==null?${ifNull}:${listFunction(type.of)}(${value})`;
    const test = leafTest(value, type, enums);
    if (test === undefined) return `${value}==null?${ifNull}:${value}`;
    const otherwise = type.name === 'ID' && !type.values ? `id(${value})` : 'bail()';
    return `${test}?${value}:${isNonNull ? otherwise : `${value}==null?null:${otherwise}`}`;
  };

  const rootName = objectFunction(root);
  if (!limits.isPossible) return undefined;
  const body =
    `const isArray=Array.isArray;function bail(){throw unclean;}` +
    `function id(v){if(!Number.isInteger(v))throw unclean;return String(v);}` +
    `${enums.map((_, at) => `const e${at}=enums[${at}];`).join('')}${functions.join('\n')}\nreturn ${rootName};`;
  const make = compileCode(['unclean', 'own', 'enums'], body) as MakeShaper;
  const shape = make(unclean, (object, key) => (Object.hasOwn(object, key) ? object[key] : undefined), enums);
  return (data) => {
    try {
      return shape(data);
    } catch (error) {
      if (error === unclean) return undefined;
      throw error;
    }
  };
}

function leafTest(value: string, type: TypeShape & { kind: 'leaf' }, enums: ReadonlySet<string>[]): string | undefined {
  if (type.values) {
    enums.push(type.values);
    return `e${enums.length - 1}.has(${value})`;
  }
  switch (type.name) {
    case 'String':
    case 'ID':
      return `typeof ${value}==="string"`;
    case 'Boolean':
      return `typeof ${value}==="boolean"`;
    case 'Int':
      return `(${value}|0)===${value}`;
    case 'Float':
      return `typeof ${value}==="number"&&Number.isFinite(${value})`;
    default:
      return undefined;
  }
}
