// Applies the remembered theme before the first paint; web/state/theme.svelte.ts changes it later.
(() => {
  const theme = localStorage.getItem('millrace.theme');
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
})();
