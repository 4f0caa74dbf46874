import { createContext, Script } from 'node:vm';
import { MissingValueError } from '#sdk/named-values.ts';
import { Environment, Interpreter, parse, tokenize } from '@huggingface/jinja';

/** Values by name. Functions get plain values; keyword arguments come last, as an object. */
export interface TemplateContext {
  readonly [name: string]: unknown;
}

export class TemplateError extends Error {
  readonly template: string;
  /** It names a variable or a connection that is not there. */
  readonly isMissingValue: boolean;
  constructor(message: string, template: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'TemplateError';
    this.template = template;
    this.isMissingValue = [options?.cause, (options?.cause as Error | undefined)?.cause].some(
      (cause) => cause instanceof MissingValueError || (cause instanceof TemplateError && cause.isMissingValue),
    );
  }
}

type Program = ReturnType<typeof parse>;
interface Node {
  readonly type: string;
}
interface Value {
  readonly type: string;
  readonly value: unknown;
  toString(): string;
}

const MAX_TEMPLATE = 256 * 1024;
const MAX_OUTPUT = 1024 * 1024;
const MAX_RANGE = 10_000;
/** A loop over a loop over a list of thousands is a mistake; it must not hold up the other tasks. */
const LOOP_BUDGET_MS = 250;
const MAX_CACHED = 500;
const programs = new Map<string, Program>();

/** Renders a Jinja template. Never evaluates JavaScript; an undefined value is an error. */
export function renderTemplate(template: string, context: TemplateContext): string {
  if (!template.includes('{{') && !template.includes('{%') && !template.includes('{#')) return template;
  try {
    const program = programOf(template);
    const output = template.includes('{%')
      ? withinBudget(() => evaluate(program, context))
      : evaluate(program, context);
    if (output.length > MAX_OUTPUT)
      throw new Error(`the result has ${output.length} characters, more than ${MAX_OUTPUT}`);
    return output;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new TemplateError(reason, template, { cause });
  }
}

function programOf(template: string): Program {
  const known = programs.get(template);
  if (known) return known;
  if (template.length > MAX_TEMPLATE) throw new Error(`it is longer than ${MAX_TEMPLATE} characters`);
  const program = parse(tokenize(template));
  if (programs.size >= MAX_CACHED) programs.delete(programs.keys().next().value ?? '');
  programs.set(template, program);
  return program;
}

function evaluate(program: Program, context: TemplateContext): string {
  const scope = new Environment();
  const names = { true: true, True: true, false: false, False: false, none: null, None: null, range, ...context };
  for (const [name, value] of Object.entries(names)) scope.set(name, plainArguments(value));
  const interpreter = new Interpreter(scope);
  const text = (value: string) => new Environment().set('text', value);
  // The interpreter prints nothing for an undefined value, and booleans in JavaScript's way.
  const evaluateBlock = (statements: Node[], inner: Environment): Value =>
    text(statements.map((node) => shown(node, interpreter.evaluate(node, inner))).join(''));
  Object.assign(interpreter, { evaluateBlock });
  return String(interpreter.run(program).value);
}

const SILENT = new Set(['Set', 'SetStatement', 'Macro', 'Comment', 'Break', 'Continue']);

function shown(node: Node, value: Value): string {
  if (SILENT.has(node.type)) return '';
  if (value.type === 'UndefinedValue') throw new Error(`${pathOf(node)} is undefined`);
  if (value.type === 'NullValue') return 'None';
  if (value.type === 'BooleanValue') return value.value ? 'True' : 'False';
  return value.toString();
}

/** `params.region` of a node for the message; a description where it is no path. */
function pathOf(node: unknown): string {
  const { type, value, object, property, computed, callee, operand } = node as { [key: string]: unknown };
  if (type === 'Identifier') return `'${String(value)}'`;
  if (type === 'MemberExpression') {
    const name = (property as { value?: unknown }).value;
    return `${pathOf(object).slice(0, -1)}${computed ? `[${JSON.stringify(name) ?? '…'}]` : `.${String(name)}`}'`;
  }
  if (type === 'CallExpression') return `${pathOf(callee).slice(0, -1)}(…)'`;
  if (type === 'FilterExpression') return pathOf(operand);
  return "'the expression'";
}

/** Functions of the context get plain values instead of the interpreter's wrappers. */
function plainArguments(value: unknown): unknown {
  if (typeof value === 'function') return (...args: unknown[]): unknown => value(...args.map(plain));
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plainArguments(inner)]));
}

function plain(value: unknown): unknown {
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, inner]) => [key, unwrap(inner)]));
  return Array.isArray(value) ? value.map(unwrap) : value;
}
const unwrap = (value: unknown): unknown =>
  plain(typeof value === 'object' && value !== null && 'value' in value ? value.value : value);

function range(...args: unknown[]): number[] {
  const [first = 0, second, step = 1] = args.map(Number);
  const [start, end] = second === undefined ? [0, first] : [first, second];
  const count = Math.max(0, Math.ceil((end - start) / step));
  if (!(count <= MAX_RANGE)) throw new Error(`range() of more than ${MAX_RANGE} items`);
  return Array.from({ length: count }, (_, index) => start + index * step);
}

/** Not a sandbox: the script only calls back, its time limit ends what runs in the callback. */
const watchdog: { run(): string } = { run: () => '' };
let script: { run: Script; context: object } | undefined;

function withinBudget(work: () => string): string {
  script ??= { run: new Script('watchdog.run()'), context: createContext({ watchdog }) };
  watchdog.run = work;
  try {
    return String(script.run.runInContext(script.context, { timeout: LOOP_BUDGET_MS }));
  } catch (cause) {
    // Made in the other context: no Error of this one.
    if ((cause as { code?: unknown } | null)?.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT')
      throw new Error(`it ran for more than ${LOOP_BUDGET_MS} ms; do such work in a task`, { cause });
    throw cause;
  }
}
