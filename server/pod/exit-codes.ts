/**
 * What the exit code of `millrace run-task` and `millrace collect-result` says. It is for people and for whoever watches Pods: how the
 * task ended, the service knows by the report.
 */
export const EXIT = {
  /** Succeeded or was skipped by its own code, and the service has recorded it. */
  ok: 0,
  /** The task failed, and the service has recorded it. */
  failed: 1,
  /** The environment of the Pod is not right: nothing was run. */
  configuration: 2,
  /** The service does not accept the Pod's token for this dispatch: nothing was run. */
  refused: 3,
  /** The dispatch is no longer the current one: cancelled, or another launch took its place. What ran was killed. */
  fenced: 4,
  /** The service could not be reached for an hour: before the start, or to tell the end. */
  unreachable: 5,
  /** A fault of Millrace itself. */
  internal: 70,
  /** Asked to stop: 128 and the number of SIGTERM. */
  interrupted: 143,
} as const;
