// `node scripts/smoke.ts URL KEY`: does a running platform do its main job? Exits non-zero when any check fails.
import { parseArgs } from 'node:util';
import { classic, health, refusals, sandboxCommand } from './smoke/classic.ts';
import { officialSdk } from './smoke/official-sdk.ts';
import { Report } from './smoke/report.ts';

const { positionals } = parseArgs({ allowPositionals: true });
const [url, apiKey] = positionals;
if (url === undefined || apiKey === undefined) {
  console.error('Usage: node scripts/smoke.ts URL API_KEY, as `dev` prints them');
  process.exit(2);
}

const target = { url: url.replace(/\/$/, ''), apiKey };
const report = new Report();
await report.group('Health', (check) => health(target, check));
await report.group('Plain HTTP', (check) => classic(target, check));
await report.group('Commands in the sandbox', (check) => sandboxCommand(target, check));
await report.group('Official SDK', (check) => officialSdk(target, check));
await report.group('Refusals', (check) => refusals(target, check));
console.log(report.summary);
process.exit(report.failed === 0 ? 0 : 1);
