// `npx -y pnpm@12.21.0 bench` measures the platform as a whole, `… bench engine` its session engine.
import { argv } from 'node:process';

await import(argv[2] === 'engine' ? './engine.ts' : './run.ts');
