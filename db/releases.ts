/** Which releases may run beside each other: one minor apart. Pure. */
export interface Release {
  major: number;
  minor: number;
  patch: number;
}

/** `0.3.1`, also with something behind it. Null: a build of somebody's own, which is not compared. */
export function parseRelease(text: string): Release | null {
  const [, major, minor, patch] = /^v?(\d+)\.(\d+)\.(\d+)/.exec(text) ?? [];
  return major === undefined ? null : { major: Number(major), minor: Number(minor), patch: Number(patch) };
}

/** 0: the same minor. Another major is too far however near. Null: they cannot be compared. */
export function minorsApart(a: string, b: string): number | null {
  const [one, other] = [parseRelease(a), parseRelease(b)];
  if (!one || !other) return null;
  return one.major === other.major ? Math.abs(one.minor - other.minor) : Infinity;
}

export const isTooFarApart = (a: string, b: string): boolean => (minorsApart(a, b) ?? 0) > 1;

/** Whether `a` came before `b`; false when they cannot be compared. */
export function isBefore(a: string, b: string): boolean {
  const [one, other] = [parseRelease(a), parseRelease(b)];
  if (!one || !other) return false;
  return (one.major - other.major || one.minor - other.minor || one.patch - other.patch) < 0;
}
