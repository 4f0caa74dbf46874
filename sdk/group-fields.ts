/** The fields of a group of tasks. */
import { map } from './map-fields.ts';
import { edgeLabels } from './setup-fields.ts';
import { field, id, text, textList, type Fields } from './spec-fields.ts';

/** Room for `.__map__` in an id of 200. */
const GROUP_PATTERN = /^(?=.{1,190}$)[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/;

export const groupId = field(
  { type: 'string', pattern: GROUP_PATTERN.source },
  "the id of a group: 'load', or 'load.eu' for 'eu' inside 'load'",
  (value) => (typeof value === 'string' && GROUP_PATTERN.test(value) ? value : undefined),
);

/** Those of the canonical spec. */
export const GROUP_FIELDS: Fields = { groupId, label: text(200).or(null), docs: text(65_536).or(null), map };

/** What a group may say besides, which becomes part of its tasks. `defaults` is read apart. */
export const GROUP_WIRING: Fields = { upstream: textList(id, 10_000), edgeLabels };
