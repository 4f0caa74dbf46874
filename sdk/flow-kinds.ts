/** The kinds of task that decide what goes on, and the one that validation makes for mapped groups. */
import { checkPython, PYTHON_FIELDS, type KindOf } from './code-fields.ts';
import { DECISION_RUNTIMES, type BranchFields } from './flow-spec.ts';
import {
  boolean,
  createFieldsReader,
  fieldsSchema,
  id,
  ID_PATTERN,
  isPlainObject,
  oneOf,
  record,
  show,
  text,
  textList,
  type Field,
  type Fields,
  type Plain,
  type Report,
} from './spec-fields.ts';

import { withExecutor } from './kubernetes-kinds.ts';
import { settledByService, systemQueue } from './system-queue.ts';

type Choice = BranchFields['choose'][number];
const MOST_CHOICES = 1000;

const choiceFields: Fields = { when: text(65_536).or(null), then: textList(id, MOST_CHOICES) };
const readChoice = createFieldsReader(choiceFields);

const choose: Field<Choice[]> = {
  schema: { type: 'array', items: fieldsSchema(choiceFields), maxItems: MOST_CHOICES },
  fallback: () => [],
  read(value, path, report) {
    if (!Array.isArray(value) || value.length > MOST_CHOICES) {
      report(path(), `${show(value)} is not a list of at most ${MOST_CHOICES} choices: [{ when: …, then: … }].`);
      return [];
    }
    return value.map((choice: unknown, index) => {
      const at = `${path()}[${index}]`;
      if (isPlainObject(choice)) return readChoice(choice, at, report) as unknown as Choice;
      report(at, `${show(choice)} is not a choice. Give { when: a template, then: a task }.`);
      return { when: null, then: [] };
    });
  },
};

/** Fills in the runtime where it follows from the rest, and says what does not fit it. */
function checkRuntime(task: Plain, template: 'choose' | 'condition', path: string, report: Report): void {
  const value = task[template];
  const hasTemplate = Array.isArray(value) ? value.length > 0 : value !== null;
  const hasPython = task['callable'] !== null || task['source'] !== null;
  task['runtime'] ??= hasTemplate ? 'template' : 'python';
  const runtime = task['runtime'];
  if (runtime === 'python') checkPython(`A ${String(task['kind'])} without '${template}'`, task, path, report);
  else if (hasPython) report(path, `With the runtime '${String(runtime)}' there is no 'callable' and no 'source'.`);
  if (runtime === 'python' && typeof task['source'] === 'string' && !/\bdef main\b/.test(task['source']))
    report(`${path}.source`, `The source needs a function 'main': what it returns is the decision.`);
  if (runtime === 'template' && !hasTemplate) report(path, `With the runtime 'template' it needs '${template}'.`);
  if (runtime !== 'template' && hasTemplate)
    report(`${path}.${template}`, `With the runtime '${String(runtime)}' there is no '${template}'.`);
}

const decision: Fields = { runtime: oneOf(DECISION_RUNTIMES).or(null), ...PYTHON_FIELDS };
const DECIDES = 'it decides about its direct downstream as a whole. Put it into a mapped group';

export const FLOW_KINDS: { [Kind in 'branch' | 'short_circuit' | 'latest_only' | 'map']: KindOf } = {
  branch: withExecutor({
    summary: 'Chooses which of its direct downstream tasks go on.',
    fields: { ...decision, choose, targets: record(ID_PATTERN, textList(id, 10_000)) },
    check: (task, path, report) => checkRuntime(task, 'choose', path, report),
    unmappable: DECIDES,
  }),
  short_circuit: withExecutor({
    summary: 'Skips what comes after it unless its condition holds.',
    fields: { ...decision, condition: text(65_536).or(null), ignoreTriggerRules: boolean.or(true) },
    check: (task, path, report) => checkRuntime(task, 'condition', path, report),
    unmappable: DECIDES,
  }),
  latest_only: {
    summary: 'Skips its direct downstream when a later run of the schedule is due already.',
    fields: { queue: systemQueue },
    check: settledByService,
    unmappable: DECIDES,
  },
  map: {
    summary: 'Counts the instances of a mapped group. Made by Millrace.',
    fields: {},
    internal: true,
  },
};
