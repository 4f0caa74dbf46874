interface PathError {
  path?: readonly (string | number)[] | undefined;
}

/**
 * True when an error took more than its own field: where that may not be null, the null climbs to the next parent that may.
 * Of such a parent the answer says nothing, but a cache would take it for one that does not exist.
 */
export function hasLostParents(data: unknown, errors: readonly PathError[]): boolean {
  return errors.some(({ path = [] }) => {
    let value = data;
    for (const key of path.slice(0, -1)) {
      value = (value as Record<string | number, unknown> | null | undefined)?.[key];
      if (value == null) return true;
    }
    return false;
  });
}
