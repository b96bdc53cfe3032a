// Measures single requests through local workerd: `npx -y pnpm@12.21.0 bench api [--times N] [--rows N]`. Reads and creates one
// after the other, on a kept connection; then a page of lists as their tables grow.
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startPlatform } from '../scripts/platform.ts';
import { aimsMissed, show } from './aims.ts';
import { ApiClient } from './api-client.ts';
import { growTable } from './grown-tables.ts';
import { summarize } from './statistics.ts';
