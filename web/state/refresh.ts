/** Calls `work` at once and then at most once per `everyMs`, however often it is asked to; the last wish is always met. */
export function createRefresh(work: () => void, everyMs: number) {
  let timer: ReturnType<typeof setTimeout> | null = null;
  let wished = false;
  function run() {
    timer = null;
    if (!wished) return;
    wished = false;
    timer = setTimeout(run, everyMs);
    work();
  }
  return {
    wish() {
      wished = true;
      if (timer === null) run();
    },
    stop() {
      if (timer !== null) clearTimeout(timer);
    },
  };
}
