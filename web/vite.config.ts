import { svelte } from '@sveltejs/vite-plugin-svelte';
import tailwindcss from '@tailwindcss/vite';
import { defineConfig } from 'vite';

/** `npx vite -c web/vite.config.ts` proxies to a running service; MILLRACE_URL names another than the default. */
export default defineConfig(({ mode }) => ({
  root: import.meta.dirname,
  plugins: [svelte({ configFile: false }), tailwindcss()],
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    target: 'es2022',
    cssTarget: ['chrome123', 'firefox120', 'safari17.5'],
    modulePreload: { polyfill: false },
    reportCompressedSize: mode !== 'test',
  },
  server: { proxy: { '/graphql': { target: 'http://127.0.0.1:4400', ws: true } } },
}));
