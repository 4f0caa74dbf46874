/** Hands over what was pushed once per animation frame; in a hidden tab, which has no frames, once a second. */
export function createFrameQueue<T>(deliver: (items: T[]) => void) {
  let items: T[] = [];
  let frame = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;

  function flush() {
    cancelAnimationFrame(frame);
    clearTimeout(timer);
    frame = 0;
    const delivered = items;
    items = [];
    if (delivered.length > 0) deliver(delivered);
  }
  return {
    push(item: T) {
      items.push(item);
      if (items.length > 1) return;
      frame = requestAnimationFrame(flush);
      timer = setTimeout(flush, 1000);
    },
    stop() {
      cancelAnimationFrame(frame);
      clearTimeout(timer);
      items = [];
    },
  };
}
