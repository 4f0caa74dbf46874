/**
 * The fenced blocks of the pages. A `ts` or `yaml` block is a whole DAG file, unless its info string says `fragment`: then it stands where
 * tasks are made. `run` says that it also runs to success with nothing around it.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isMap, isSeq, parseDocument, stringify } from 'yaml';

const ROOT = join(import.meta.dirname, '../..');

export interface Snippet {
  page: string;
  /** Of its first line of text, from 1. */
  line: number;
  lang: string;
  marks: string[];
  text: string;
}

export const pages = ['README.md', ...readdirSync(join(ROOT, 'docs')).map((name) => `docs/${name}`)].filter((name) =>
  name.endsWith('.md'),
);

const OPENING = /^( *)(`{3,})(.*)$/;

export function snippetsOf(page: string): Snippet[] {
  const snippets: Snippet[] = [];
  let open: { indent: string; fence: string; snippet: Snippet } | null = null;
  readFileSync(join(ROOT, page), 'utf8')
    .split('\n')
    .forEach((line, index) => {
      const [, indent = '', fence = '', info = ''] = OPENING.exec(line) ?? [];
      if (open && line.trim() === open.fence) open = null;
      else if (open) open.snippet.text += `${line.startsWith(open.indent) ? line.slice(open.indent.length) : line}\n`;
      else if (fence !== '') {
        const [lang = '', ...marks] = info.trim().split(/\s+/);
        open = { indent, fence, snippet: { page, line: index + 2, lang, marks, text: '' } };
        snippets.push(open.snippet);
      }
    });
  if (open) throw new Error(`${page}: a block is never closed.`);
  return snippets;
}

export const nameOf = ({ page, line, lang, marks }: Snippet): string => [`${page}:${line}`, lang, ...marks].join(' ');

/** Everything that a fragment may use without having said so. */
const HEAD = `import { concat, dag, done, each, eachOf, failTask, label, skipTask, zip, zipLongest } from 'millrace'; import { z } from 'zod'; import { setTimeout as sleep } from 'node:timers/promises'; void [concat, dag, done, each, eachOf, failTask, label, skipTask, zip, zipLongest, z, sleep]; export default dag('fragment', { schedule: '@daily', start: '2026-01-01', params: z.object({ size: z.number().default(1) }) }, ({ task, bash, python, http, sql, empty, group, branch, shortCircuit, latestOnly, setup, teardown, withSetup, sensor, triggerDag, approval, pod, resource }) => { void [task, bash, python, http, sql, empty, group, branch, shortCircuit, latestOnly, setup, teardown, withSetup, sensor, triggerDag, approval, pod, resource];\n`;

/** The DAG file that a block is or stands in, and how many lines of it come before the block. */
export function dagFileOf({ lang, marks, text }: Snippet): { name: string; text: string; before: number } {
  const isFragment = marks.includes('fragment');
  if (lang === 'ts')
    return isFragment
      ? { name: 'fragment.ts', text: `${HEAD}${text}});\n`, before: 1 }
      : { name: 'page.ts', text, before: 0 };
  return { name: 'page.yaml', text: isFragment ? wholeYaml(text) : text, before: 0 };
}

/** A list is tasks; an object is fields of a DAG. */
function wholeYaml(text: string): string {
  const { contents } = parseDocument(text);
  const written: unknown = contents?.toJSON();
  if (isSeq(contents)) return stringify({ dagId: 'fragment', tasks: written });
  if (isMap(contents))
    return stringify({ dagId: 'fragment', tasks: [{ taskId: 'nothing', kind: 'empty' }], ...(written as object) });
  throw new Error('A fragment is a list of tasks, or fields of a DAG.');
}
