/** Two Pods, or parts of Pods, into one, as Kubernetes merges them (strategic merge). Pure. */

type Value = unknown;
type Fields = { readonly [field: string]: Value };

/** What tells the entries of a list apart; lists of other fields are replaced as a whole. */
const KEYS: { [list: string]: (entry: Fields) => string } = {
  containers: byName,
  initContainers: byName,
  sidecars: byName,
  ephemeralContainers: byName,
  volumes: byName,
  env: byName,
  imagePullSecrets: byName,
  resourceClaims: byName,
  volumeMounts: (entry) => textOf(entry['mountPath']),
  volumeDevices: (entry) => textOf(entry['devicePath']),
  hostAliases: (entry) => textOf(entry['ip']),
  ports: (entry) => `${textOf(entry['containerPort'])}/${textOf(entry['protocol'] ?? 'TCP')}`,
  topologySpreadConstraints: (entry) => `${textOf(entry['topologyKey'])} ${textOf(entry['whenUnsatisfiable'])}`,
};
/** Lists of which every entry counts. */
const APPENDED = new Set(['tolerations', 'envFrom']);
/** Entries that hold one of several things: a half of each would be neither. */
const WHOLE = new Set(['env', 'volumes']);

function byName(entry: Fields): string {
  return textOf(entry['name']);
}

/** Of anything at all: it may be wrong, and is told to be elsewhere. */
function textOf(value: Value): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
}

const isFields = (value: Value): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** `over` wins; null in it stands for nothing there, whatever `base` has. Neither is changed. */
export function mergePods<T extends object>(base: T, over: object): T {
  return mergeFields(base as Fields, over as Fields) as T;
}

function mergeFields(base: Fields, over: Fields): Fields {
  // Not by assignment: a key may be called __proto__
  const merged = new Map(Object.entries(base));
  for (const [field, value] of Object.entries(over)) {
    if (value !== undefined) merged.set(field, mergeValue(field, merged.get(field), value));
  }
  return Object.fromEntries(merged);
}

function mergeValue(field: string, base: Value, over: Value): Value {
  if (Array.isArray(over)) return mergeList(field, Array.isArray(base) ? base : [], over);
  return isFields(over) ? mergeFields(isFields(base) ? base : {}, over) : over;
}

function mergeList(field: string, base: readonly Value[], over: readonly Value[]): Value[] {
  if (APPENDED.has(field)) return withoutRepeats([...base, ...over]);
  const keyOf = Object.hasOwn(KEYS, field) ? KEYS[field] : undefined;
  const entries = [...base, ...over];
  if (!keyOf || !entries.every(isFields)) return [...over];
  const merged = new Map<string, Fields>();
  for (const entry of entries) {
    const known = merged.get(keyOf(entry));
    merged.set(keyOf(entry), known && !WHOLE.has(field) ? mergeFields(known, entry) : entry);
  }
  return [...merged.values()];
}

function withoutRepeats(entries: readonly Value[]): Value[] {
  const seen = new Set<string>();
  return entries.filter((entry) => {
    const text = JSON.stringify(entry);
    return !seen.has(text) && seen.add(text);
  });
}

/** Without the fields that are null, which Kubernetes takes for absent. */
export function withoutNulls<T>(value: T): T {
  if (Array.isArray(value)) return value.map(withoutNulls) as T;
  if (!isFields(value)) return value;
  const given = Object.entries(value).filter(([, inner]) => inner !== null && inner !== undefined);
  return Object.fromEntries(given.map(([field, inner]) => [field, withoutNulls(inner)])) as T;
}
