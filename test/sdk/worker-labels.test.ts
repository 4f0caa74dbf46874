import { expect, it } from 'vitest';
import { parseLabels } from '#sdk/worker-labels.ts';

it.each([
  ['zone=a, gpu=a100', { zone: 'a', gpu: 'a100' }],
  ['team/cost.center=12=3,', { 'team/cost.center': '12=3' }],
  ['empty=', { empty: '' }],
  ['zone', '"zone" has no value: write it as name=value.'],
  ['zone=a,zone=b', '"zone" is said twice.'],
  ['-zone=a', expect.stringMatching(/^"-zone" is no name/)],
  ['=a', expect.stringMatching(/^"" is no name/)],
  [Array.from({ length: 51 }, (_, n) => `n${n}=1`).join(), 'at most 50, not 51.'],
])('%s', (text, labels) => expect(parseLabels(text)).toEqual(labels));
