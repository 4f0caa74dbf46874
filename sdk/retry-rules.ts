/** Rules of a task about its failures: which are worth another try. */
import { compilePattern, MOST_PATTERN } from './safe-pattern.ts';
import {
  createFieldsReader,
  duration,
  fieldsSchema,
  integer,
  isPlainObject,
  oneOf,
  oneOrMore,
  show,
  text,
  type Field,
  type Fields,
} from './spec-fields.ts';
import { TASK_CAUSES, type TaskCause } from './states.ts';

export const RETRY_ACTIONS = ['retry', 'fail', 'skip'] as const;
export type RetryAction = (typeof RETRY_ACTIONS)[number];

/** Holds for a failure that meets everything it names; a list asks for any of its entries. */
export interface RetryRule {
  /** Exit codes of the process. Empty: any, and none. */
  exitCode: number[];
  /** Class names, with or without their module, of the error or of what it inherits from. */
  exception: string[];
  /** A regular expression that occurs in the failure's message; null: any. */
  message: string | null;
  cause: TaskCause[];
  /** `retry`: if there are tries left. `skip`: the task ends as skipped. */
  action: RetryAction;
  /** Seconds to the next try; null: as the task says. */
  delay: number | null;
}

const MOST_RULES = 50;
const MOST_ENTRIES = 100;

const CLASS_NAME = /^[A-Za-z_$][\w$]*(\.[A-Za-z_$][\w$]*)*$/;
const className: Field<string> = {
  schema: { type: 'string', maxLength: 200, pattern: CLASS_NAME.source },
  read(value, path, report) {
    if (typeof value === 'string' && value.length <= 200 && CLASS_NAME.test(value)) return value;
    report(path(), `${show(value)} is not the name of a class, such as 'ValueError' or 'requests.exceptions.Timeout'.`);
    return '';
  },
};
const pattern: Field<string | null> = {
  schema: { anyOf: [{ type: 'string', maxLength: MOST_PATTERN }, { type: 'null' }] },
  fallback: () => null,
  read(value, path, report) {
    const source = text(MOST_PATTERN).or(null).read(value, path, report);
    const compiled = typeof source === 'string' ? compilePattern(source) : null;
    if (typeof compiled === 'string')
      report(path(), `${show(source)} cannot be used as a regular expression. ${compiled}`);
    return source;
  },
};

const FIELDS: Fields = {
  exitCode: oneOrMore(integer(0, 255), MOST_ENTRIES),
  exception: oneOrMore(className, MOST_ENTRIES),
  message: pattern,
  cause: oneOrMore(oneOf(TASK_CAUSES), MOST_ENTRIES),
  action: oneOf(RETRY_ACTIONS),
  delay: duration(0).or(null),
};
const readRule = createFieldsReader(FIELDS);

/** A list of rules; the first that holds decides. */
export const retryRules: Field<RetryRule[]> = {
  schema: { type: 'array', items: fieldsSchema(FIELDS), maxItems: MOST_RULES },
  fallback: () => [],
  read(value, path, report) {
    if (!Array.isArray(value)) {
      report(path(), `${show(value)} is not a list of rules.`);
      return [];
    }
    if (value.length > MOST_RULES) report(path(), `${value.length} rules; at most ${MOST_RULES} are allowed.`);
    return value.map((rule: unknown, i) => {
      const at = `${path()}[${i}]`;
      if (!isPlainObject(rule)) report(at, `${show(rule)} is not a rule. Write { action, and what it is about }.`);
      else if (rule['delay'] != null && rule['action'] !== 'retry')
        report(`${at}.delay`, `A delay goes with the action 'retry' only.`);
      return readRule(isPlainObject(rule) ? rule : { action: 'retry' }, at, report) as unknown as RetryRule;
    });
  },
};
