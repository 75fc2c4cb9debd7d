// Builds the pages' style sheet and islands into dist/, which is committed and embedded in the server: the same input
// gives the same bytes, and manifest.json tells the server each entry's hashed name.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  base: '/assets/',
  publicDir: 'public',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: 'dist',
    assetsDir: '.',
    assetsInlineLimit: 0,
    emptyOutDir: true,
    manifest: 'manifest.json',
    modulePreload: { polyfill: false },
    target: 'es2023',
    cssTarget: ['chrome123', 'firefox120', 'safari17.5'],
    reportCompressedSize: false,
    rollupOptions: {
      input: {
        site: 'src/site.ts',
        search: 'src/search.tsx',
        event: 'src/event.tsx',
        order: 'src/order.tsx',
        tickets: 'src/tickets.ts',
        account: 'src/account.ts',
        alerts: 'src/alerts.ts',
        door: 'src/door.tsx',
        worker: 'src/door/worker.ts',
      },
    },
  },
  test: { include: ['src/**/*.test.ts'] },
});
