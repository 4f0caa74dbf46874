import { MissingValueError } from '#sdk/named-values.ts';
import { GLOBALS } from './jinja/globals.ts';
import type { Statement } from './jinja/nodes.ts';
import { parseTemplate } from './jinja/parser.ts';
import { createRenderer } from './jinja/render.ts';
import type { Globals } from './jinja/scope.ts';

/** The value of a name; undefined where there is none. */
export type TemplateContext = Globals;

export class TemplateError extends Error {
  readonly template: string;
  /** It names a variable or a connection that is not there. */
  readonly isMissingValue: boolean;
  constructor(message: string, template: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'TemplateError';
    this.template = template;
    const { cause } = this;
    this.isMissingValue =
      cause instanceof MissingValueError || (cause instanceof TemplateError && cause.isMissingValue);
  }
}

const MAX_TEMPLATE = 256 * 1024;
const MAX_OUTPUT = 1024 * 1024;
const MAX_CACHED = 500;
/** Of source: what is parsed of it takes many times as much. */
const MAX_CACHED_CHARACTERS = 1024 * 1024;
const programs = new Map<string, Statement[]>();
let cachedCharacters = 0;

export const isTemplate = (text: string): boolean => text.includes('{{') || text.includes('{%') || text.includes('{#');

/** Renders a Jinja template by an interpreter of our own: no code is ever made of it. An undefined value is an error. */
export function renderTemplate(template: string, context: TemplateContext): string {
  if (!isTemplate(template)) return template;
  try {
    const render = createRenderer((name) => {
      const value = context(name);
      return value === undefined ? GLOBALS.get(name) : value;
    });
    const output = render(programOf(template));
    if (output.length > MAX_OUTPUT)
      throw new Error(`the result has ${output.length} characters, more than ${MAX_OUTPUT}`);
    return output;
  } catch (cause) {
    throw new TemplateError(reasonOf(cause), template, { cause });
  }
}

function reasonOf(cause: unknown): string {
  // Parentheses and lists in each other by the thousand
  if (cause instanceof RangeError) return 'it is nested too deeply';
  return cause instanceof Error ? cause.message : String(cause);
}

function programOf(template: string): Statement[] {
  const known = programs.get(template);
  if (known) return known;
  if (template.length > MAX_TEMPLATE) throw new Error(`it is longer than ${MAX_TEMPLATE} characters`);
  const program = parseTemplate(template);
  for (const oldest of programs.keys()) {
    if (programs.size < MAX_CACHED && cachedCharacters + template.length <= MAX_CACHED_CHARACTERS) break;
    programs.delete(oldest);
    cachedCharacters -= oldest.length;
  }
  programs.set(template, program);
  cachedCharacters += template.length;
  return program;
}
