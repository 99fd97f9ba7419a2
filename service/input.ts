// Checks of arguments from outside, and the scalars of the graph.
import { GraphQLScalarType } from 'graphql';
import { z } from 'zod';
import { CodedError } from './errors.ts';

/**
 * Checks an argument against its zod schema.
 * @param name the argument's name; the error's `argument` extension leads from it to the field at fault.
 * @throws CodedError BAD_USER_INPUT with the first problem.
 */
export function parseInput<Schema extends z.ZodType>(schema: Schema, value: unknown, name: string): z.infer<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const argument = [name, ...(issue?.path ?? [])].map(String).join('.');
  throw new CodedError('BAD_USER_INPUT', `${argument}: ${issue?.message ?? 'not valid'}`, { argument });
}

/** The ids of this graph are UUIDs; the rows have them in lower case. */
export const idInput = z.uuid('must be an id of this graph (a UUID)').toLowerCase();

/** A text of `min` to `max` characters that PostgreSQL can store. */
export const textInput = (min: number, max: number) => {
  const length = `must be ${min === 0 ? 'up' : min} to ${max} characters`;
  return z
    .string()
    .min(min, length)
    .max(max, length)
    .regex(/^[^\0]*$/, 'must not contain the character U+0000');
};

/** Output only: RFC 3339 in UTC with milliseconds. */
export const DateTime = new GraphQLScalarType({
  name: 'DateTime',
  serialize(value) {
    if (value instanceof Date) return value.toISOString();
    if (typeof value === 'string') return new Date(value).toISOString();
    throw new TypeError('DateTime must be a Date or an RFC 3339 text');
  },
});
