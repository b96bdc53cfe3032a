// Starts dev.ts. Plain JavaScript that an old Node reads too, so that the wrong Node gets a sentence instead of a syntax error;
// and dev.ts itself then comes compiled from the cache, which spares every start the memory of stripping types.
import module from 'node:module';
import { fileURLToPath } from 'node:url';

const NEEDED = 24;
const major = Number(process.versions.node.split('.')[0]);
if (major < NEEDED) {
  const old = major < 20 ? ' Install Node 20 or newer first.' : '';
  console.error(
    `✗ This is Node ${process.versions.node}; the platform runs on Node ${NEEDED}, which it installs for itself.${old} Start it with: npx -y pnpm@12.21.0 dev`,
  );
  process.exit(1);
}
process.env.NODE_COMPILE_CACHE ??= fileURLToPath(new URL('../node_modules/.cache/capstan', import.meta.url));
module.enableCompileCache();
await import('./dev.ts');
