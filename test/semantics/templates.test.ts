import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Json } from '#sdk/protocol.ts';
import { MACROS, parseDate } from '#server/operators/jinja/macros.ts';
import { fromJson, type Value } from '#server/operators/jinja/values.ts';
import { renderTemplate, TemplateError } from '#server/operators/render-template.ts';
import { templateContext } from '#server/operators/template-context.ts';
import { makeDispatch, type DispatchExtras } from '../helpers/runner.ts';
import table from '../helpers/jinja/expected.json' with { type: 'json' };

/** The names of the table, fresh for each template. */
function contextOfTable(): (name: string) => Value | undefined {
  const known = table.context as { [name: string]: Json };
  const made = new Map<string, Value | undefined>([['macros', MACROS]]);
  const make = (value: Json | undefined): Value | undefined => {
    if (value === undefined) return undefined;
    const date = typeof value === 'object' && value !== null && '$date' in value ? value['$date'] : undefined;
    return typeof date === 'string' ? parseDate(date) : fromJson(value);
  };
  return (name) => {
    if (!made.has(name)) made.set(name, make(Object.hasOwn(known, name) ? known[name] : undefined));
    return made.get(name);
  };
}

const rows = table.rows as { template: string; output?: string; error?: string }[];
const good = rows.filter((row) => row.error === undefined);
const bad = rows.filter((row) => row.error !== undefined);

describe(`a template gives what Jinja2 ${table.jinja2} gives`, () => {
  it('for many templates', () => expect(good.length).toBeGreaterThan(90));
  it.each(good)('$template', ({ template, output }) => {
    expect(renderTemplate(template, contextOfTable())).toBe(output);
  });
});

describe('a template is an error where it is one in Jinja2', () => {
  it.each(bad)('$template', ({ template }) => {
    expect(() => renderTemplate(template, contextOfTable())).toThrow(TemplateError);
  });
});

const render = (template: string, extras: DispatchExtras = {}) =>
  renderTemplate(template, templateContext(makeDispatch({ kind: 'bash', owner: 'ada' }, extras)));

describe('the names of a template', () => {
  it.each([
    [
      '{{ ds }} {{ ds_nodash }} {{ ts }} {{ ts_nodash }}',
      '2026-01-02 20260102 2026-01-02T03:04:05+00:00 20260102T030405',
    ],
    ['{{ ts_nodash_with_tz }}', '20260102T030405+0000'],
    ['{{ logical_date }}', '2026-01-02T03:04:05+00:00'],
    [
      '{{ data_interval_start.add(days=1) | ds }} {{ data_interval_end.subtract(months=1) | ds }}',
      '2026-01-02 2025-12-02',
    ],
    ["{{ logical_date.in_timezone('America/New_York').isoformat() }}", '2026-01-01T22:04:05-05:00'],
    ["{{ logical_date.in_timezone('Asia/Kolkata').strftime('%H:%M %z %Z') }}", '08:34 +0530 Asia/Kolkata'],
    ["{{ logical_date.start_of('month') | ds }} {{ logical_date.end_of('month') | ds }}", '2026-01-01 2026-01-31'],
    [
      "{{ logical_date.start_of('week') | ds }} {{ logical_date.day_of_week }} {{ logical_date.quarter }}",
      '2025-12-29 4 1',
    ],
    ["{{ logical_date.format('YYYY-[Q]Q DD/MM HH:mm') }}", '2026-Q1 02/01 03:04'],
    ['{{ logical_date.int_timestamp }} {{ logical_date.to_date_string() }}', '1767323045 2026-01-02'],
    ['{{ macros.datetime_diff_for_humans(data_interval_start, data_interval_end) }}', '1 day before'],
    [
      '{{ macros.uuid.uuid4() | length }} {{ macros.random() < 1 }} {{ macros.time.time() > 1700000000 }}',
      '36 True True',
    ],
    ['{{ dag.dag_id }} {{ task.task_id }} {{ task.owner }} {{ task.retries }}', 'dag task ada 0'],
    ['{{ dag_run.run_id }} {{ dag_run.logical_date | ds }} {{ run_id }}', 'manual__1 2026-01-02 manual__1'],
    [
      '{{ ti.task_id }} {{ ti.try_number }} {{ ti.map_index }} {{ map_index }} {{ task_instance.dag_id }}',
      'task 1 -1 -1 dag',
    ],
    ['{{ task_instance_key_str }} {{ test_mode }}', 'dag__task__20260102 False'],
    ['{{ prev_data_interval_end_success }} {{ prev_start_date_success is none }}', 'None True'],
  ])('%s', (template, output) => {
    expect(render(template)).toBe(output);
  });

  it('tell of the last success where there is one', () => {
    const previousSuccess = {
      dataIntervalStart: '2026-01-01T00:00:00.000Z',
      dataIntervalEnd: '2026-01-01T12:00:00.000Z',
      startedAt: '2026-01-01T13:00:00.000Z',
      endedAt: null,
    };
    const template =
      '{{ prev_data_interval_start_success | ds }} {{ prev_data_interval_end_success }} {{ prev_start_date_success.hour }}';
    expect(render(template, { previousSuccess })).toBe('2026-01-01 2026-01-01T12:00:00+00:00 13');
  });

  it('without a logical date lack what is made of it, and no more', () => {
    const undated = { run: { logicalDate: null } };
    expect(() => render('{{ ds }}', undated)).toThrow("'ds' is undefined");
    expect(() => render('{{ ts_nodash_with_tz }}', undated)).toThrow('is undefined');
    expect(render('{{ logical_date }} {{ run_id }} {{ ds | default("none") }}', undated)).toBe('None manual__1 none');
  });

  it('pull results: of one task, of several, of instances of a mapped one, or a default', () => {
    const xcoms = [
      { taskId: 'one', mapIndex: -1, key: 'return_value', value: { rows: 3 } },
      { taskId: 'many', mapIndex: 1, key: 'k', value: 'b' },
      { taskId: 'many', mapIndex: 0, key: 'k', value: 'a' },
    ];
    expect(render("{{ ti.xcom_pull('one').rows }} {{ ti.xcom_pull(task_ids=['one', 'x']) }}", { xcoms })).toBe(
      "3 [{'rows': 3}, None]",
    );
    expect(
      render("{{ ti.xcom_pull('many', key='k') }} {{ ti.xcom_pull('many', key='k', map_indexes=1) }}", { xcoms }),
    ).toBe("['a', 'b'] b");
    expect(render("{{ ti.xcom_pull('many', key='k', map_indexes=[1, 5]) }}", { xcoms })).toBe("['b', None]");
    expect(render("{{ ti.xcom_pull('x', default='none yet') }}", { xcoms })).toBe('none yet');
  });
});

describe('variables and connections in a template', () => {
  const extras: DispatchExtras = {
    variables: { region: 'eu', limits: '{"rows": [1, 2]}' },
    connections: {
      db: {
        id: 'db',
        kind: 'postgres',
        host: 'h',
        port: 5432,
        schema: 's',
        login: 'me',
        password: 'p@w',
        extra: { sslmode: 'require' },
      },
    },
    unreadable: { 'variable locked': 'The secret of variable locked cannot be read: why.' },
  };
  it.each([
    ["{{ var.value.region }} {{ var.value['region'] }} {{ var.value.get('region') }}", 'eu eu eu'],
    [
      "{{ var.json.limits.rows[1] }} {{ var.json.get('limits')['rows'] }} {{ var.json.limits | tojson }}",
      '2 [1, 2] {"rows": [1, 2]}',
    ],
    ["{{ var.value.get('nope', 'fallback') }} {{ var.value.nope | default('d') }}", 'fallback d'],
    [
      '{{ conn.db.host }}:{{ conn.db.port }} {{ conn.db.login }} {{ conn.db.password }} {{ conn.db.schema }}',
      'h:5432 me p@w s',
    ],
    [
      "{{ conn['db'].extra.sslmode }} {{ conn.get('db').extra_dejson.sslmode }} {{ conn.db.conn_type }}",
      'require require postgres',
    ],
    ['{{ conn.db.get_uri() }}', 'postgresql://me:p%40w@h:5432/s?sslmode=require'],
  ])('%s', (template, output) => {
    expect(render(template, extras)).toBe(output);
  });

  it.each([
    ['{{ var.value.nope }}', `There is no variable 'nope'. Create it with "millrace variable set nope <value>".`],
    ['{{ var.json.nope.deep | upper }}', "There is no variable 'nope'"],
    ['{{ conn.nope.host }}', `There is no connection 'nope'. Create it with "millrace connection add nope <uri>".`],
    ['{{ var.value.locked }}', 'The secret of variable locked cannot be read'],
  ])('%s says what is missing', (template, message) => {
    const failure = (() => {
      try {
        return render(template, extras);
      } catch (error) {
        return error;
      }
    })();
    expect(failure).toMatchObject({ isMissingValue: true, message: expect.stringContaining(message) as string });
  });
});

describe('a template cannot', () => {
  it.each([
    "{{ ''.constructor }}",
    "{{ params['__proto__'] }}",
    '{{ params.constructor }}',
    '{{ params.hasOwnProperty }}',
    "{{ range['constructor'] }}",
    '{{ macros.datetime.constructor }}',
    '{{ logical_date.wall }}',
    '{{ logical_date.__utc__ }}',
    '{{ ti.__class__ }}',
    '{{ process }}',
    '{{ globalThis }}',
    "{{ ''['length'] }}",
    '{{ conn.get.call }}',
    "{{ '{0.constructor}'.format(params) }}",
    "{{ params | attr('constructor') }}",
    "{{ [params] | map(attribute='constructor') | list }}",
  ])('reach anything of the process: %s', (template) => {
    expect(() => render(template)).toThrow('undefined');
  });

  it.each([
    '{% for i in range(9999) %}{% for j in range(9999) %}{% set k = i * j %}{% endfor %}{% endfor %}',
    "{{ 'x' * 999999999 }}",
    '{{ [1] * 999999999 }}',
    "{{ 'x' | center(999999999) }}",
    "{{ '%999999999d' % 1 }}",
    "{{ '{:>999999999}'.format(1) }}",
    "{% set ns = namespace(t='xxxxxxxx') %}{% for i in range(60) %}{% set ns.t = ns.t ~ ns.t %}{% endfor %}",
    "{% set ns = namespace(t='xxxxxxxx') %}{% for i in range(60) %}{% set ns.t = ns.t | replace('x', 'xx') %}{% endfor %}",
    '{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}',
    '{{ range(99999999) }}',
    '{% set l = [] %}{% do l.append(l) %}{{ l }}',
    `{{ ${'('.repeat(5_000)}1${')'.repeat(5_000)} }}`,
    `{{ ${'-'.repeat(50_000)}1 }}`,
    `${'{% if 1 %}'.repeat(5_000)}`,
    "{{ 'x'.ljust(99999999) }}",
    '{{ 9 ** 9 ** 9 }}',
    "{{ ('a' * 100000) | wordwrap(1) | indent(1000) }}",
  ])('use more than its share: %s', (template) => {
    const started = performance.now();
    expect(() => render(template)).toThrow(TemplateError);
    expect(performance.now() - started).toBeLessThan(5_000);
  });

  it('change what another template gets', () => {
    const context = templateContext(makeDispatch({ kind: 'bash' }, { run: { params: { list: [1] } } }));
    renderTemplate('{% do params.list.append(2) %}', context);
    const again = makeDispatch({ kind: 'bash' }, { run: { params: { list: [1] } } });
    expect(renderTemplate('{{ params.list }}', templateContext(again))).toBe('[1]');
  });

  it('bring the interpreter down, whatever it is', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        '{{',
        '}}',
        '{%',
        '%}',
        '{#',
        '#}',
        '-',
        'for',
        'in',
        'if',
        'endif',
        'endfor',
        'set',
        'macro',
        '|',
        '(',
        ')',
        '[',
        ']',
        '.',
        ',',
        "'",
        '"',
        '%s',
        '~',
        'x',
        '1',
        ' ',
        '\n',
        'raw',
        'loop',
        '=',
        'is',
        'not',
        '{',
        '}',
        ':',
      ),
      fc.string({ maxLength: 5 }),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
        try {
          render(pieces.join(''));
        } catch (error) {
          expect(error).toBeInstanceOf(TemplateError);
          expect((error as Error).cause, String((error as Error).stack)).toMatchObject({
            name: /JinjaError|MissingValueError/,
          });
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('dates', () => {
  const instant = fc.date({
    min: new Date('1900-01-01T00:00:00Z'),
    max: new Date('2200-01-01T00:00:00Z'),
    noInvalidDate: true,
  });
  const at = (date: Date, template: string) => render(template, { run: { logicalDate: date.toISOString() } });

  it('are written as their ISO form says', () => {
    fc.assert(
      fc.property(instant, (date) => {
        const iso = date.toISOString();
        expect(at(date, '{{ ds }}')).toBe(iso.slice(0, 10));
        expect(at(date, '{{ logical_date.strftime("%Y-%m-%dT%H:%M:%S") }}')).toBe(iso.slice(0, 19));
        expect(at(date, '{{ logical_date.int_timestamp }}')).toBe(String(Math.floor(date.getTime() / 1000)));
        expect(Date.parse(at(date, '{{ logical_date.isoformat() }}'))).toBe(date.getTime());
      }),
    );
  });

  it('come back when a length of time is added and taken away', () => {
    fc.assert(
      fc.property(
        instant,
        fc.integer({ min: -9_999, max: 9_999 }),
        fc.integer({ min: 0, max: 86_399 }),
        (date, days, seconds) => {
          const delta = `macros.timedelta(days=${days}, seconds=${seconds})`;
          expect(at(date, `{{ logical_date + ${delta} - ${delta} == logical_date }}`)).toBe('True');
          expect(at(date, `{{ (logical_date + ${delta} - logical_date).total_seconds() | int }}`)).toBe(
            String(days * 86_400 + seconds),
          );
        },
      ),
    );
  });

  it('are read back from what strftime writes', () => {
    const formats = ['%Y-%m-%d %H:%M:%S.%f', '%d %b %Y %I:%M:%S.%f %p', '%Y%m%dT%H%M%S%f', '%A, %B %d, %Y %H:%M:%S.%f'];
    fc.assert(
      fc.property(instant, fc.constantFrom(...formats), (date, format) => {
        const text = `logical_date.strftime('${format}')`;
        const read = `macros.datetime.strptime(${text}, '${format}').isoformat()`;
        const iso = date
          .toISOString()
          .slice(0, 23)
          .replace(/\.000$/, '')
          .replace(/(\.\d{3})$/, '$1000');
        expect(at(date, `{{ ${read} }}`)).toBe(iso);
      }),
    );
  });

  it('show the clock of any zone, as the system knows it', () => {
    const zones = ['Europe/Berlin', 'America/New_York', 'Asia/Kathmandu', 'Australia/Lord_Howe', 'Pacific/Apia', 'UTC'];
    const recent = fc.date({
      min: new Date('1990-01-01T00:00:00Z'),
      max: new Date('2037-01-01T00:00:00Z'),
      noInvalidDate: true,
    });
    fc.assert(
      fc.property(recent, fc.constantFrom(...zones), (date, timeZone) => {
        const clock = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'medium' }).format(
          date,
        );
        expect(at(date, `{{ logical_date.in_timezone('${timeZone}').strftime('%Y-%m-%d %H:%M:%S') }}`)).toBe(clock);
        expect(at(date, `{{ logical_date.in_timezone('${timeZone}') == logical_date }}`)).toBe('True');
      }),
    );
  });

  it('lie in the same week, month and year as their beginnings', () => {
    fc.assert(
      fc.property(instant, fc.constantFrom('hour', 'day', 'week', 'month', 'quarter', 'year'), (date, unit) => {
        const inside = `logical_date.start_of('${unit}') <= logical_date <= logical_date.end_of('${unit}')`;
        expect(at(date, `{{ ${inside} }}`)).toBe('True');
        const next = `logical_date.end_of('${unit}') + macros.timedelta(microseconds=1)`;
        expect(at(date, `{{ ${next} == (${next}).start_of('${unit}') }}`)).toBe('True');
      }),
    );
  });
});
