// Builds the Console to dist/. Nothing is inlined: the Content-Security-Policy allows files of this origin only.
import tailwindcss from '@tailwindcss/vite';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';
import { docsAssets } from './docs-assets.ts';

const platform = process.env.CAPSTAN_URL ?? 'http://127.0.0.1:8787';

export default defineConfig({
  plugins: [react(), tailwindcss(), docsAssets()],
  build: { assetsInlineLimit: 0, modulePreload: { polyfill: false } },
  server: { proxy: { '/v1': platform, '/api': platform, '/docs': platform, '/health': platform } },
});
