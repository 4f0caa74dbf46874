/** How the keys that open the palette are written on this machine. */
export const paletteKey = (): string => (/Mac|iP(hone|ad)/.test(navigator.platform) ? '⌘K' : 'Ctrl+K');

export const opensPalette = (event: KeyboardEvent): boolean =>
  event.key.toLowerCase() === 'k' && (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey;
