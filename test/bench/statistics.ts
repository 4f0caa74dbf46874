export interface Spread {
  n: number;
  median: number;
  min: number;
  max: number;
}

/** The q-quantile (0 … 1) by nearest rank. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(q * sorted.length) - 1))] ?? NaN;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const high = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? high : ((sorted[middle - 1] ?? NaN) + high) / 2;
}

export const spread = (values: readonly number[]): Spread => ({
  n: values.length,
  median: median(values),
  min: Math.min(...values),
  max: Math.max(...values),
});
