import { expect, it } from 'vitest';
import { countPackages, namedFiles, readsFiles } from '#server/bundles/requirement-lines.ts';

it.each([
  ['alpha==1.0', false],
  ['alpha[extra]>=1,<2 ; python_version < "3.12"', false],
  ['alpha @ https://example.com/alpha-1.0.whl', false],
  ['git+https://example.com/team/alpha.git@main#egg=alpha', false],
  ['-e git+ssh://git@example.com/team/alpha.git', false],
  ['--index-url https://example.com/simple\nalpha', false],
  ['--extra-index-url https://example.com/simple', false],
  ['--find-links=/opt/wheels', false],
  ['/opt/wheels/alpha-1.0.whl', false],
  ['# ./alpha', false],
  ['alpha --hash=sha256:00 \\\n  --hash=sha256:11', false],
  ['./alpha', true],
  ['.', true],
  ['vendor/alpha', true],
  ['alpha-1.0-py3-none-any.whl', true],
  ['alpha @ file:vendor/alpha', true],
  ['-e .', true],
  ['-rbase.txt', true],
  ['-c constraints.txt', true],
  ['--requirement=base.txt', true],
  ['--no-index --find-links wheels', true],
  ['alpha\n-f wheels', true],
])('%j depends on other files: %s', (text, expected) => {
  expect(readsFiles(text)).toBe(expected);
});

it('names the files that are included', () => {
  const text = '\uFEFF-r base.txt\r\n-c https://example.com/c.txt\n--constraint=pins.txt # ours\n-f wheels\nalpha-r\n';
  expect(namedFiles(text)).toEqual(['base.txt', 'pins.txt']);
});

it('counts what is asked for', () => {
  expect(countPackages('# ours\n\nalpha\n-r base.txt\n-e ./beta\ngamma \\\n  --hash=sha256:00\n')).toBe(3);
});
