// Turns the subject template of an event field into the subject that one viewer watches with their arguments.
import { subjectToken } from '../../schema/subject.ts';
import { CodedError } from '../../service/errors.ts';

/** Longer subjects are refused: the broker's protocol line has a limit too. */
const maxSubjectLength = 1_000;

/**
 * Fills `{viewer.sub}` and `{args.NAME}`. Both are encoded as one token each, so neither can widen the subject.
 * @throws CodedError UNAUTHENTICATED when the template names a viewer and there is none; BAD_USER_INPUT when an argument cannot be a token.
 */
export function fillSubject(
  template: string,
  viewerSub: string | undefined,
  args: Readonly<Record<string, unknown>>,
): string {
  const subject = template.replaceAll(/\{viewer\.sub\}|\{args\.(\w+)\}/g, (_placeholder, name: string | undefined) => {
    if (name === undefined) {
      if (viewerSub === undefined) throw new CodedError('UNAUTHENTICATED');
      return subjectToken(viewerSub);
    }
    const value = args[name];
    if (typeof value === 'string') return subjectToken(value);
    if (typeof value === 'number' || typeof value === 'boolean') return subjectToken(String(value));
    throw new CodedError('BAD_USER_INPUT', undefined, { argument: name });
  });
  if (subject.length > maxSubjectLength) throw new CodedError('BAD_USER_INPUT', 'An argument is too long.');
  return subject;
}

/**
 * The subject that covers all of one viewer's own: the filled template up to `{viewer.sub}`. One subscription at the broker then
 * does for all that this viewer watches. A template without viewer shares nothing: who else's events would come is not known.
 */
export function viewerSubject(template: string, subject: string): string {
  const index = template.split(/\.(?![^{}]*\})/).indexOf('{viewer.sub}');
  const tokens = subject.split('.');
  return index < 0 || index === tokens.length - 1 ? subject : [...tokens.slice(0, index + 1), '>'].join('.');
}

/** Whether a subject watches more than itself. */
export function isWildcard(subject: string): boolean {
  return subject.endsWith('.>');
}
