// The API reference at /docs: swagger-ui from our own files, showing our own document. It loads nothing from elsewhere
// and runs no inline script, so it stands under the Console's Content-Security-Policy.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Plugin } from 'vite';

const COPIED = ['swagger-ui.css', 'swagger-ui-bundle.js', 'LICENSE'];

const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Capstan API reference</title>
    <link rel="stylesheet" href="/docs/swagger-ui.css">
  </head>
  <body>
    <div id="reference"></div>
    <script src="/docs/swagger-ui-bundle.js"></script>
    <script src="/docs/start.js"></script>
  </body>
</html>
`;

const START = `SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#reference',
  deepLinking: true,
  docExpansion: 'list',
  defaultModelsExpandDepth: 0,
  validatorUrl: null,
});
`;

/** Adds the reference's files to the build, under `docs/`. */
export function docsAssets(): Plugin {
  return {
    name: 'docs-assets',
    apply: 'build',
    generateBundle() {
      const source = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));
      for (const name of COPIED) {
        this.emitFile({ type: 'asset', fileName: `docs/${name}`, source: readFileSync(join(source, name)) });
      }
      this.emitFile({ type: 'asset', fileName: 'docs/index.html', source: PAGE });
      this.emitFile({ type: 'asset', fileName: 'docs/start.js', source: START });
    },
  };
}
