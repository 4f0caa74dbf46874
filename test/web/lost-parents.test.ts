import { expect, it } from 'vitest';
import { hasLostParents } from '../../web/graphql/lost-parents.ts';

it.each([
  ['a parent that is null for what went wrong below it', { dag: null }, [{ path: ['dag', 'runs'] }], true],
  ['one in a list', { dags: [{ id: 1 }, null] }, [{ path: ['dags', 1, 'runs', 'edges'] }], true],
  ['all of it', null, [{ path: ['dag', 'runs'] }], true],
  ['a field that is null itself', { dag: null }, [{ path: ['dag'] }], false],
  ['a field below a parent that is there', { dag: { id: 1, docs: null } }, [{ path: ['dag', 'docs'] }], false],
  ['an error of no field', { dag: { id: 1 } }, [{}], false],
  ['nothing wrong', { dag: null }, [], false],
])('%s', (_what, data, errors, lost) => {
  expect(hasLostParents(data, errors)).toBe(lost);
});
