import { describe, expect, it } from 'vitest';
import { MACROS } from '#server/operators/jinja/macros.ts';
import { renderTemplate } from '#server/operators/render-template.ts';

const BIG = 'ab '.repeat(340_000);
const names = new Map<string, string>([
  ['big', BIG],
  ['open', '<'.repeat(60_000)],
  ['comments', '<!--'.repeat(60_000)],
  ['keys', '%('.repeat(100_000)],
  ['zeros', `%${'0'.repeat(200_000)}`],
  ['same', 'a'.repeat(1_000_000)],
]);
const render = (template: string) => renderTemplate(template, (name) => (name === 'macros' ? MACROS : names.get(name)));

/** Twice as many items each round, in a list that is small. */
const DOUBLED = (name: string) =>
  `{% set ${name} = namespace(a=['x']) %}{% for i in range(45) %}{% set ${name}.a = [${name}.a, ${name}.a] %}{% endfor %}`;
const often = (body: string, rounds = 3000) => `{% for i in range(${rounds}) %}${body}{% endfor %}`;
const kept = (value: string) => `{% set l = [] %}${often(`{% do l.append(${value}) %}`)}`;

const SPENT = /it (takes more than 200000 steps|makes more than 4 Mi characters); do such work in a task/;

describe('a template ends when it has used up what it may', () => {
  it.each([
    ['equality of lists', `${DOUBLED('m')}${DOUBLED('n')}{{ m.a == n.a }}`],
    ['inequality of lists', `${DOUBLED('m')}${DOUBLED('n')}{{ m.a != n.a }}`],
    ['order of lists', `${DOUBLED('m')}${DOUBLED('n')}{{ m.a < n.a }}`],
    ['a list in a list', `${DOUBLED('m')}${DOUBLED('n')}{{ m.a in [n.a] }}`],
    ['the test eq', `${DOUBLED('m')}${DOUBLED('n')}{{ m.a is eq n.a }}`],
    ['the place of a list', `${DOUBLED('m')}${DOUBLED('n')}{{ [1, n.a].index(m.a) }}`],
    ['unique lists', `${DOUBLED('m')}${DOUBLED('n')}{{ [m.a, n.a] | unique | length }}`],
    ['sorted lists', `${DOUBLED('m')}${DOUBLED('n')}{{ [m.a, n.a] | sort | length }}`],
    ['loop.changed', `${DOUBLED('m')}${DOUBLED('n')}{% for x in [m.a, n.a] %}{{ loop.changed(x) }}{% endfor %}`],
    ['writing a list', `${DOUBLED('m')}{{ m.a }}`],
    ['pprint', `${DOUBLED('m')}{{ m.a | pprint }}`],
    ['a text filter on a list', `${DOUBLED('m')}{{ m.a | upper | length }}`],
    ['a list as an argument', `${DOUBLED('m')}{{ 'x'.replace('x', m.a) | length }}`],
    ['a list in %', `${DOUBLED('m')}{{ '%r' % (m.a,) }}`],
    ['a list in format', `${DOUBLED('m')}{{ '{}'.format(m.a) }}`],
    ['json.dumps', `${DOUBLED('m')}{{ macros.json.dumps(m.a) }}`],
    ['tojson', `${DOUBLED('m')}{{ m.a | tojson }}`],
    ['a list of many', `{% set l = [1] * 100000 %}${often('{% set e = l == l %}', 9)}`],
    ['methods of texts', kept('big.upper()')],
    ['filters of texts', kept('big | lower')],
    ['slices of texts', kept('big[1:]')],
    ['turned texts', kept('big[::-1]')],
    ['slices of lists', `{% set m = range(10000) %}${kept('m[1:]')}`],
    ['copies of lists', `{% set m = range(10000) %}${kept('m.copy()')}`],
    ['list | list', `{% set m = range(10000) %}${kept('m | list')}`],
    ['range', kept('range(10000)')],
    ['parts of texts', kept('big.split()')],
    ['characters of texts', often('{% set c = big[-1] %}')],
    ['the length of a text', often('{% set c = big | length %}')],
    ['looking for a text', "{% set n = 'b' ~ same[:500000] %}{{ n in same }}"],
    ['counting a text', "{% set n = 'b' ~ same[:500000] %}{{ same.count(n) }}"],
    ['splitting by a text', "{% set n = 'b' ~ same[:500000] %}{{ same.split(n) | length }}"],
    ['the last words', '{{ big.rsplit(none, 300000) | length }}'],
    ['wide formats', "{{ ('{:9999}' * 100000).format(*range(10000)) }}"],
    ['wide % formats', "{{ ('%(a)9999s' * 9999) % {'a': 1} }}"],
    ['dates by a long format', often("{{ macros.ds_format('2026-01-02', '%Y-%m-%d', '%f' * 400) }}")],
    ['indented lines', "{{ ('\n' * 100000) | indent(1000, blank=true) }}"],
    ['keys in lower case', `{% set l = [big] * 5000 %}{{ l | sort | length }}`],
  ])('%s', (_what, template) => {
    expect(() => render(template)).toThrow(SPENT);
  });
});

describe('work on long texts takes no longer than their length', () => {
  it.each([
    ['{{ open | striptags | length }}', '60000'],
    ['{{ comments | striptags | length }}', '240000'],
    ["{{ '<b>a</b> <!-- <i> --> c <!--> d < e' | striptags }}", 'a c d < e'],
    ["{{ ((keys + '%d') % 1) | length }}", '200001'],
    ['{{ ([] * 4000000000) | length }}', '0'],
    ["{{ ('' * 4000000000) | length }}", '0'],
    [
      "{{ '{:,}'.format(1234567) }} {{ '{:,}'.format(-123) }} {{ '{:,.2f}'.format(1234.5) }}",
      '1,234,567 -123 1,234.50',
    ],
    ["{{ 'a  b c  d '.rsplit(none, 2) }} {{ ' a b  c  '.split(none, 1) }}", "['a  b', 'c', 'd'] ['a', 'b  c  ']"],
    ["{{ 'a😀b'[1] }}{{ 'a😀b'[-2] }}{{ 'a😀b'[1:] }}{{ 'a😀b'[::-1] }}{{ 'a😀b' | length }}", '😀😀😀bb😀a3'],
    ["{{ 'a😀' < 'a\ufffd' }} {{ 'ab' < 'abc' }} {{ 'b' < 'abc' }}", 'False True False'],
  ])('%s', (template, expected) => {
    expect(render(template)).toBe(expected);
  });

  it.each([
    ['{{ zeros % 1 }}', 'not all arguments converted'],
    ["{{ 'a'.center(10, 'bc') }}", 'must be exactly one character long'],
    ["{{ macros.datetime.strptime('1' * 40 ~ 'x', '%d' * 40) }}", "'%d' stands twice"],
    ["{{ macros.ds_format('2026-01-02', '%Y-%m-%d', '%Y' * 501) }}", 'a format is longer than 1000 characters'],
  ])('%s is refused', (template, message) => {
    expect(() => render(template)).toThrow(message);
  });
});

it('a template of ordinary size is far from its bounds', () => {
  const lines =
    "{% set l = [] %}{% for i in range(2000) %}{% do l.append('%05d' % i) %}{% endfor %}{{ l | join(',') | length }}";
  expect(render(lines)).toBe('11999');
});

it('many long templates can be rendered one after the other', () => {
  for (let i = 0; i < 40; i += 1) expect(render(`{{ ${i} }}${' '.repeat(200_000)}`).trim()).toBe(String(i));
});
