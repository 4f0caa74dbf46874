import { describe, expect, test } from 'vitest';
import type { Json } from '#sdk/protocol.ts';
import { parseResourcePath, valuesAt } from '#sdk/resource-path.ts';

const object: Json = {
  metadata: { labels: { 'app.kubernetes.io/name': 'etl' } },
  status: {
    phase: 'Running',
    conditions: [
      { type: 'Ready', status: 'False', n: 1 },
      { type: 'Complete', status: 'True', n: 2, reason: 'Done' },
      { type: 'Old', status: 'True', n: 3 },
    ],
    items: [{ id: 1 }, { id: 2 }],
  },
};
const at = (path: string) => {
  const parsed = parseResourcePath(path);
  return typeof parsed === 'string' ? `! ${parsed}` : valuesAt(object, parsed);
};

test.each([
  ['$.status.phase', ['Running']],
  ['.status.phase', ['Running']],
  ['{.status.phase}', ['Running']],
  ['{$.status.phase}', ['Running']],
  [`$['status']["phase"]`, ['Running']],
  ['$.status.conditions[?(@.type=="Complete")].status', ['True']],
  [`{.status.conditions[?(@.type=='Complete')].status}`, ['True']],
  ['$.status.conditions[?@.type == "Complete"].n', [2]],
  ['$.status.conditions[?(@.status=="True" && @.n>2)].type', ['Old']],
  ['$.status.conditions[?(@.n<=1 || @.n>=3)].type', ['Ready', 'Old']],
  ['$.status.conditions[?(@.reason)].type', ['Complete']],
  ['$.status.conditions[?(@.type!="Ready")].n', [2, 3]],
  ['$.status.items[*].id', [1, 2]],
  ['$.status.items[-1].id', [2]],
  ['$.status.items[5].id', []],
  ['.metadata.labels.app\\.kubernetes\\.io/name', ['etl']],
  [`$.metadata.labels['app.kubernetes.io/name']`, ['etl']],
  ['$.nothing.there', []],
  ['$.constructor', []],
])('%s', (path, found) => expect(at(path)).toEqual(found));

describe('what is no path says why', () => {
  test.each([
    ['status.phase', /must start with '\$'/],
    ['$.a[', /'\[' cannot be read/],
    ['$.a[?(@.b==)]', /Compare with a text in quotes/],
    ['$.a[?(@.b=="x"]', /A '\)' is missing/],
    ['$.a[?(b=="x")]', /Write what an entry must have/],
    ['$..a', /cannot be read/],
    ['$.a b', /' b' cannot be read/],
  ])('%s', (path, why) => expect(at(path)).toMatch(why));
});
