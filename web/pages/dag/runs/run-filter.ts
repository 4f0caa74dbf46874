export const RUN_STATES = ['RUNNING', 'FAILED', 'SUCCESS', 'QUEUED', 'CANCELLED'] as const;
export type RunState = (typeof RUN_STATES)[number];

/** The state that an address filters by; anything else is no filter. */
export const runStateOf = (text: string): RunState | undefined =>
  RUN_STATES.find((state) => state === text.toUpperCase());
