/** The groups of a DAG: their canonical form, and what they pass on to their tasks. */
import type { GroupSpec } from './dag-spec.ts';
import { GROUP_FIELDS, GROUP_WIRING } from './group-fields.ts';
import { readPresets } from './presets.ts';
import { createFieldsReader, isPlainObject, show, type Plain, type Report } from './spec-fields.ts';

export const MAX_GROUPS = 10_000;

/** A group with what it says beside its canonical form. */
export interface ReadGroup {
  spec: GroupSpec;
  /** Place in the input; `groups[3]`. */
  path: string;
  /** Ids of tasks and groups that its entry tasks wait for. */
  upstream: string[];
  edgeLabels: { [upstream: string]: string };
  /** Of the DAG, of the groups around it, and its own. */
  presets: Plain;
}

const readSpec = createFieldsReader(GROUP_FIELDS);
const readWiring = createFieldsReader(GROUP_WIRING);

/** `load.eu` and `load` of `load.eu`: the group itself first, then those around it. */
export function withParents(groupId: string): string[] {
  const ids = [groupId];
  for (let dot = groupId.lastIndexOf('.'); dot > 0; dot = groupId.lastIndexOf('.', dot - 1))
    ids.push(groupId.slice(0, dot));
  return ids;
}

/** Groups by id, in the order of the input; a parent that is only implied stands before its first child. */
export function readGroups(input: unknown, dagPresets: Plain, report: Report): Map<string, ReadGroup> {
  const groups = new Map<string, ReadGroup>();
  if (input === undefined) return groups;
  if (!Array.isArray(input) || input.length > MAX_GROUPS) {
    report('groups', `${show(input)} is not a list of at most ${MAX_GROUPS} groups.`);
    return groups;
  }
  const ownDefaults = new Map<string, unknown>();
  input.forEach((group: unknown, index) => {
    const path = `groups[${index}]`;
    if (!isPlainObject(group)) return report(path, `${show(group)} is not a group. Give an object with groupId.`);
    const { upstream, edgeLabels, defaults, ...own } = group;
    const spec = readSpec(own, path, report) as unknown as GroupSpec;
    const wiring = readWiring({ upstream, edgeLabels }, path, report) as Pick<ReadGroup, 'upstream' | 'edgeLabels'>;
    if (typeof spec.groupId !== 'string') return;
    if (ownDefaults.has(spec.groupId))
      return report(`${path}.groupId`, `'${spec.groupId}' is already the id of a group. Give each group its own id.`);
    readPresets(defaults, `${path}.defaults`, report);
    ownDefaults.set(spec.groupId, defaults);
    for (const parent of withParents(spec.groupId).slice(1).reverse())
      if (!groups.has(parent)) groups.set(parent, implied(parent, path));
    // One that was implied before keeps its place
    groups.set(spec.groupId, { spec, path, ...wiring, presets: {} });
  });
  for (const [groupId, group] of groups)
    group.presets = withParents(groupId).reduceRight((outer, id) => {
      const defaults = ownDefaults.get(id);
      // Reported above
      return isPlainObject(defaults) ? { ...outer, ...readPresets(defaults, '', () => undefined, outer) } : outer;
    }, dagPresets);
  return groups;
}

const implied = (groupId: string, path: string): ReadGroup => ({
  spec: { groupId, label: null, docs: null, map: null },
  path,
  upstream: [],
  edgeLabels: {},
  presets: {},
});
