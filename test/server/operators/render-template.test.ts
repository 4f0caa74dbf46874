import { describe, expect, it } from 'vitest';
import { renderTemplate } from '#server/operators/render-template.ts';
import { templateContext } from '#server/operators/template-context.ts';
import { makeDispatch } from '../../helpers/runner.ts';

const dispatch = makeDispatch(
  { kind: 'bash', inputs: { rows: { task: 'clean', key: 'return_value' } } },
  {
    run: { params: { region: 'eu', flag: true, list: ['a', 'b'], n: 2 }, conf: { who: 'me' } },
    xcoms: [
      { taskId: 'clean', mapIndex: -1, key: 'return_value', value: { path: '/data/a.csv', rows: [1, 2] } },
      { taskId: 'mapped', mapIndex: 1, key: 'k', value: 'second' },
      { taskId: 'mapped', mapIndex: 0, key: 'k', value: 'first' },
    ],
  },
);
const render = (template: string) => renderTemplate(template, templateContext(dispatch));

describe('templates', () => {
  it.each([
    ['no template', 'no template'],
    ['{{ ds }} {{ ds_nodash }}', '2026-01-02 20260102'],
    ['{{ ts }} {{ ts_nodash }}', '2026-01-02T03:04:05+00:00 20260102T030405'],
    ['{{ data_interval_start }}', '2026-01-01T00:00:00+00:00'],
    ['{{ params.region }} {{ params["region"] }}', 'eu eu'],
    ['{{ params.flag }} {{ none }}', 'True None'],
    ['{{ params.n + 1 }} {{ params.list[-1] }}', '3 b'],
    ["{{ params.list | join('+') }} {{ params.region | upper }}", 'a+b EU'],
    ["{{ params.nope | default('d') }}", 'd'],
    ["{{ ds.replace('-', '') }}", '20260102'],
    ['{{ dag_run.conf.who }} {{ conf["who"] }}', 'me me'],
    ['{{ run_id }} {{ dag_id }} {{ task.task_id }} {{ ti.try_number }} {{ ti.map_index }}', 'manual__1 dag task 1 -1'],
    ["{{ ti.xcom_pull('clean').path }}", '/data/a.csv'],
    ["{{ ti.xcom_pull(task_ids='clean', key='return_value').rows[1] }}", '2'],
    ["{{ ti.xcom_pull(task_ids='mapped', key='k') | join(',') }}", 'first,second'],
    ["{{ ti.xcom_pull('nobody') }}", 'None'],
    ['{{ inputs.rows.path }}', '/data/a.csv'],
    ['{% for x in params.list %}{{ x }};{% endfor %}', 'a;b;'],
    ['{% if params.flag %}yes{% else %}no{% endif %}\n{{ ds }}\n', 'yes\n2026-01-02'],
    ['{# nothing #}{{ "{{" }}', '{{'],
  ])('%s', (template, expected) => {
    expect(render(template)).toBe(expected);
  });

  it.each([
    ['{{ nope }}', "'nope' is undefined"],
    ['{{ params.nope }}', "'params.nope' is undefined"],
    ['{{ params["nope"] }}', `'params["nope"]' is undefined`],
    ["{{ ti.xcom_pull('nobody').path }}", "'ti.xcom_pull(…).path' is undefined"],
    ['{{ broken', 'unexpected end of template'],
    ["{{ range.constructor('return process')() }}", "has no 'constructor'"],
    ['{{ ti.xcom_pull.constructor }}', 'is undefined'],
    ['{{ conf.__proto__ }}', 'is undefined'],
    ['{{ range(100000) }}', 'more than 10000'],
  ])('%s is refused', (template, message) => {
    expect(() => render(template)).toThrow(message);
  });

  it('ends a template that loops for too long', () => {
    const started = performance.now();
    const loop = '{% for i in range(9999) %}{% for j in range(9999) %}{% set k = i * j %}{% endfor %}{% endfor %}';
    expect(() => render(loop)).toThrow('200000 steps');
    expect(performance.now() - started).toBeLessThan(2_000);
  });

  it('has no dates where the run has no logical date', () => {
    const undated = makeDispatch({ kind: 'bash' }, { run: { logicalDate: null } });
    expect(() => renderTemplate('{{ ds }}', templateContext(undated))).toThrow("'ds' is undefined");
  });
});
