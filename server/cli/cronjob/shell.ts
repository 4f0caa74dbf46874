/** From what Kubernetes starts to what a shell is told. Pure. */

const PLAIN = /^[A-Za-z0-9_@%+=:,./-]+$/;
/** `$(NAME)`; `$$(NAME)` stands for the text itself. */
const REFERENCE = /\$?\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)/g;

/** One word of a shell. Kubernetes puts the values of `variables` in place of `$(NAME)`; the shell has them as `${NAME}`. */
export function shellWord(text: string, variables: ReadonlySet<string>): string {
  if (PLAIN.test(text)) return text;
  const known = [...text.matchAll(REFERENCE)].some(([all, name = '']) => !all.startsWith('$$') && variables.has(name));
  if (!known) return `'${withReferences(text, new Set()).replaceAll("'", `'\\''`)}'`;
  const quoted = text.replace(/[\\"`]/g, '\\$&').replace(/\$(?!\(|\$\()/g, '\\$&');
  return `"${withReferences(quoted, variables).replace(/\$\(/g, '\\$(')}"`;
}

/** A script as Kubernetes would hand it to the shell. */
export const withReferences = (text: string, variables: ReadonlySet<string>): string =>
  text.replace(REFERENCE, (all, name: string) => {
    if (all.startsWith('$$')) return all.slice(1);
    return variables.has(name) ? `\${${name}}` : all;
  });

/** A value of the environment: Kubernetes puts in those that stand before it. */
export const withValues = (text: string, values: { readonly [name: string]: string }): string =>
  text.replace(REFERENCE, (all, name: string) => (all.startsWith('$$') ? all.slice(1) : (values[name] ?? all)));

/** The script of `sh -c <script>` in its many spellings; null when the words are something else. */
export function scriptOf(words: readonly string[]): string | null {
  const [shell = '', flag = '', script, ...rest] = words;
  const isShell = /^(\/usr)?(\/bin\/)?(sh|bash|ash|dash)$/.test(shell);
  return isShell && /^-[a-z]*c$/.test(flag) && script !== undefined && rest.length === 0 ? script : null;
}

/** The options of `bash -euc` as a line of the script; none is the empty text. */
export const shellOptions = (words: readonly string[]): string => {
  const options = (words[1] ?? '').replace(/^-|c$/g, '').replace(/[li]/g, '');
  return options ? `set -${options}\n` : '';
};

/** Text that is rendered as a template and must come out as it is. */
export const escapeTemplate = (text: string): string => text.replace(/\{[{%#]/g, (open) => `{{ '${open}' }}`);
