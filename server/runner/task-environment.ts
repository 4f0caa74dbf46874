/** What tasks may see of the worker's environment: never its own settings, keys or database address. The warehouse is theirs. */
const PASSED_ON =
  /^(PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_\w+|TZ|TMPDIR|HOSTNAME|SSL_CERT_(FILE|DIR)|NODE_EXTRA_CA_CERTS|(HTTPS?|NO|ALL)_PROXY|MILLRACE_WAREHOUSE_URL)$/i;

export function taskEnvironment(environment: { [name: string]: string | undefined }): { [name: string]: string } {
  const passed = Object.entries(environment).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && PASSED_ON.test(entry[0]),
  );
  return Object.fromEntries(passed);
}

/** Settings of pip, for installing what DAGs ask for. They may name private indexes: no task sees them. */
export const pipEnvironment = (environment: { [name: string]: string | undefined }): { [name: string]: string } =>
  Object.fromEntries(
    Object.entries(environment).filter(
      (entry): entry is [string, string] => entry[1] !== undefined && /^PIP_\w+$/.test(entry[0]),
    ),
  );

/** A Pod is the task's own: what its author put there is for the task. Only what Millrace itself is told stays away. */
export function podTaskEnvironment(environment: { [name: string]: string | undefined }): { [name: string]: string } {
  const own = Object.entries(environment).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && !/^MILLRACE_(?!WAREHOUSE_URL$)/i.test(entry[0]),
  );
  return Object.fromEntries(own);
}
