// Source rules: what the linter cannot say because it depends on where a file is. One table, one error per line found.
import { readFileSync } from 'node:fs';

export type Breach = { file: string; line: number; rule: string };

type Rule = { rule: string; in: RegExp; except?: RegExp; text: RegExp };

const TEST = /\.(test|contract)\.tsx?$|\/testing(\/|\.ts$)/;
const CODE = /^(apps|packages|scripts|bench|tests)\/.*\.(ts|tsx|mts|mjs|cjs)$/;
/** Where a program meets its surroundings: the only places that read them. */
const ROOTS =
  /^apps\/[^/]+\/(src\/(index|ports|env|settings|main|[a-z]+-do|agent-service)\.ts|vite\.config\.ts)$|^packages\/(modal-emulator|dev-model)\/src\/main\.ts$|^(scripts|bench|tests)\//;

const RULES: Rule[] = [
  {
    rule: 'packages/session takes time and chance from its ports: no clock, no random',
    in: /^packages\/session\/src\//,
    except: TEST,
    text: /\bDate\.now\(|\bnew Date\(\)|\bperformance\.now\(|\bMath\.random\(|\brandomUUID\(|\bgetRandomValues\(|\bset(Timeout|Interval)\(/,
  },
  {
    rule: 'the environment is read in composition roots only; pass what is needed as a port',
    in: /^(apps|packages)\//,
    except: new RegExp(`${TEST.source}|${ROOTS.source}`),
    text: /\bprocess\.env\b|\benv\.[A-Z][A-Z_]+\b|import \{[^}]*\benv\b[^}]*\} from 'cloudflare:workers'/,
  },
  {
    rule: 'no module mocks: use the real part or the port’s testing.ts',
    in: CODE,
    text: /\bvi\.(mock|doMock)\(/,
  },
  {
    rule: 'every test runs: no skip, only or todo',
    in: TEST,
    text: /\b(it|test|describe)\.(skip|only|todo)\(/,
  },
  { rule: 'no sleeping in tests: wait on a condition', in: TEST, text: /await (sleep|delay|setTimeout)\(/ },
  { rule: 'the compiler is not silenced', in: CODE, text: /@ts-(ignore|nocheck|expect-error)/ },
  { rule: 'TODO names an issue: TODO(#123)', in: CODE, text: /(\/\/|\*).*\bTODO\b(?!\(#\d+\))/ },
];

const SELF = /^scripts\/verify\/source-rules(\.test)?\.ts$/;

/** Every breach in `files`, which are paths relative to `root`. */
export function findBreaches(root: string, files: readonly string[]): Breach[] {
  return files
    .filter((file) => CODE.test(file) && !SELF.test(file))
    .flatMap((file) => {
      const rules = RULES.filter((rule) => rule.in.test(file) && !rule.except?.test(file));
      if (rules.length === 0) return [];
      const lines = readFileSync(`${root}/${file}`, 'utf8').split('\n');
      return lines.flatMap((text, index) =>
        rules
          .filter((rule) => rule.text.test(text) && !isComment(text))
          .map(({ rule }) => ({ file, line: index + 1, rule })),
      );
    });
}

function isComment(line: string): boolean {
  return /^\s*(\/\/|\*|\/\*\*)/.test(line) && !line.includes('TODO') && !line.includes('@ts-');
}
