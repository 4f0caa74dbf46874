/** How a command ends that waits for a run; a failure of the command itself is 1. */
export const RUN_EXIT_CODES: { [state: string]: number } = { SUCCESS: 0, FAILED: 2, CANCELLED: 3 };
