/** What this service writes on its objects, and finds them by. */
export const OURS = 'millrace.dev/';

export const LABELS = {
  managedBy: 'app.kubernetes.io/managed-by',
  /** Id of the service's database: several of them may share a namespace. */
  installation: `${OURS}installation`,
  /** UUID of the dispatch. */
  dispatch: `${OURS}dispatch`,
  dag: `${OURS}dag`,
  task: `${OURS}task`,
  run: `${OURS}run`,
  try: `${OURS}try`,
  mapIndex: `${OURS}map-index`,
} as const;

export const ANNOTATIONS = {
  /** The whole id of the dispatch. */
  dispatchId: `${OURS}dispatch-id`,
  /** What becomes of it when it has ended: `delete`, `keep_failed` or `keep`. */
  onFinish: `${OURS}on-finish`,
} as const;

export const MANAGED_BY = 'millrace';
