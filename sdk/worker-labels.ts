/** Labels of workers: what may be said of one. */

const MOST_LABELS = 50;
const MOST_VALUE = 250;
const NAME = /^[A-Za-z0-9]([\w./-]{0,61}[A-Za-z0-9])?$/;

/** Null: they are well. */
export function labelProblem(labels: { [name: string]: string }): string | null {
  const entries = Object.entries(labels);
  if (entries.length > MOST_LABELS) return `at most ${MOST_LABELS}, not ${entries.length}.`;
  for (const [name, value] of entries) {
    if (!NAME.test(name))
      return `"${name.slice(0, 80)}" is no name: up to 63 letters, digits and . _ / -, a letter or digit first and last.`;
    if (value.length > MOST_VALUE) return `the value of ${name} has more than ${MOST_VALUE} characters.`;
  }
  return null;
}

/** `zone=a,gpu=a100`; a string: what is wrong. */
export function parseLabels(text: string): { [name: string]: string } | string {
  const labels: { [name: string]: string } = {};
  for (const part of text.split(',').map((piece) => piece.trim())) {
    if (part === '') continue;
    const [name = '', ...rest] = part.split('=');
    if (rest.length === 0) return `"${part.slice(0, 80)}" has no value: write it as name=value.`;
    if (name.trim() in labels) return `"${name.trim()}" is said twice.`;
    labels[name.trim()] = rest.join('=').trim();
  }
  return labelProblem(labels) ?? labels;
}
