import { execFileSync } from 'node:child_process';
import { MAX_PACKAGES, PACKAGE_MANAGERS, packageProblem } from '@capstan/schema/packages';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkArgs } from './arguments.ts';
import { recipeOf } from './packages.ts';

const REAL = {
  apt: ['ffmpeg', 'g++', 'libstdc++6', 'libc6:amd64', 'ffmpeg=7:5.1.6-0+deb12u1', 'curl/bookworm-backports'],
  cargo: ['ripgrep', 'ripgrep@14.0.0', 'cargo-edit@^0.12', 'tokio_util'],
  gem: ['rails', 'rails:7.1.0', 'rack-test:~>2.1', 'i18n:1.14.1.pre'],
  go: [
    'golang.org/x/tools/cmd/goimports',
    'github.com/cli/cli/v2/cmd/gh@v2.40.1',
    'gopkg.in/yaml.v3@latest',
    'example.com/~user/tool@release/v1',
  ],
  npm: ['express', 'express@4.18.0', '@types/node@22', 'left-pad@^1.0', 'JSONStream', 'a@next', 'b@1.x||2'],
  pip: [
    'pandas',
    'pandas==2.2.0',
    'pandas [excel] >= 2, < 3',
    'ruamel.yaml',
    'torch==2.4.0+cu121',
    'a[b,c]~=1.*',
  ],
};

const NONE = {
  apt: ['foo-', 'foo=1-', '-y', '--purge', 'Foo', 'a', '', 'foo bar', 'foo*', './x.deb', '/x.deb', 'foo;id'],
  cargo: ['--git', '1abc', 'a@', 'a b', 'a/b', 'https://x.example/a', 'a@1 --force'],
  gem: ['-v', '--', 'a:', 'a -- --with', './a.gem/../b', 'a:latest;id', 'a:$(id)'],
  go: [
    './cmd',
    '../x',
    'cmd',
    'example.com/...',
    'example.com/../x',
    '-x.example/a/-b',
    'a.example/x@-v',
    'a.example/ x',
  ],
  npm: [
    './a',
    '../a',
    '/a',
    'owner/repo',
    'git+https://x.example/a',
    'a@npm:b',
    'a@file:../b',
    '@scope',
    '_a',
    'a@>=1 <2',
  ],
  pip: [
    '-r',
    '--index-url=https://x.example',
    'a @ https://x.example/a.whl',
    'git+https://x.example/a',
    'a; python_version<"3"',
    './a',
    'a b',
    '.',
    'a==',
    'a[]',
    "a'$(id)'",
  ],
};

describe('recipeOf', { timeout: 120_000 }, () => {
  it('takes what the managers call packages', () => {
    for (const manager of PACKAGE_MANAGERS)
      for (const name of REAL[manager]) expect([name, packageProblem(manager, name)]).toEqual([name, null]);
  });

  it.each(PACKAGE_MANAGERS)('refuses what is no %s package, naming it and what one looks like', (manager) => {
    for (const name of NONE[manager]) {
      expect([name, packageProblem(manager, name)]).not.toEqual([name, null]);
      const place = new RegExp(`^packages\\.${manager}\\.1: .* ${manager} package: write .* e\\.g\\. `);
      expect(() => recipeOf({ [manager]: [REAL[manager][0] ?? '', name] })).toThrow(place);
    }
  });

  it('lets nothing pass that a shell, a Dockerfile or an option parser reads', () => {
    const special = /[\s;&$`'"\\(){}#%?\0]|^-/;
    fc.assert(
      fc.property(fc.constantFrom(...PACKAGE_MANAGERS), fc.string({ unit: 'binary' }), (manager, text) => {
        for (const name of [text, `a${text}`, `${REAL[manager][0]}${text}`]) {
          const read = special.test(manager === 'pip' ? name.replaceAll(' ', '') : name);
          if (read) expect(packageProblem(manager, name)).not.toBeNull();
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('gives each manager its packages as they stand', () => {
    const stub =
      'rm() { :; }; f() { printf "%s\\n" "$@"; }; for p in apt-get cargo gem go npm pip; do eval "$p() { f $p \\"\\$@\\"; }"; done';
    const script = recipeOf(REAL)
      .lines.map((line) => line.replace(/^RUN /, ''))
      .join('\n');
    const seen = execFileSync('bash', ['-c', `${stub}\n${script}`], { encoding: 'utf8' }).split('\n');
    for (const manager of PACKAGE_MANAGERS) {
      for (const name of REAL[manager]) {
        const versioned = manager === 'go' && !name.includes('@') ? `${name}@latest` : name;
        expect(seen).toContain(manager === 'pip' ? versioned.replaceAll(' ', '') : versioned);
      }
    }
    expect(seen.filter((line) => line === 'go')).toHaveLength(REAL.go.length);
  });

  it('is the same for the same packages in any order and number', () => {
    const lists = fc.record(
      Object.fromEntries(PACKAGE_MANAGERS.map((manager) => [manager, fc.subarray(REAL[manager])])),
    );
    fc.assert(
      fc.property(lists, fc.integer({ min: 0, max: 5 }), (packages, turn) => {
        const turned = Object.fromEntries(
          Object.entries(packages).map(([manager, names]) => [
            manager,
            [...names.slice(turn), ...names.slice(0, turn), ...names.slice(0, 1)],
          ]),
        );
        expect(recipeOf(turned)).toEqual(recipeOf(packages));
        expect(() => checkArgs('buildImage', recipeOf(packages))).not.toThrow();
      }),
    );
  });

  it('installs a manager that the image does not have, and nothing for no packages', () => {
    expect(recipeOf({ apt: [], pip: [] })).toEqual({ lines: [] });
    expect(recipeOf({}, 'debian:13')).toEqual({ base: 'debian:13', lines: [] });
    const { lines } = recipeOf({ go: ['example.com/a'], apt: ['jq'] });
    expect(lines).toHaveLength(3);
    expect(lines[0]).toMatch(
      /^RUN command -v go >\/dev\/null \|\| \{ apt-get update && .* golang-go git .*; \}$/,
    );
    expect(lines[1]).toMatch(/^RUN apt-get update && .* 'jq' && rm -rf/);
    expect(lines[2]).toBe("RUN GOBIN=/usr/local/bin go install 'example.com/a@latest'");
  });

  it('has room for as many as anybody needs', () => {
    const names = Array.from({ length: MAX_PACKAGES + 1 }, (_, index) => `p${index}`);
    expect(() => recipeOf({ npm: names })).toThrow(/^packages.npm: has 101 entries; the limit is 100/);
    expect(() => recipeOf({ npm: ['x'.repeat(300)] })).toThrow(/300 characters; the limit is 256/);
  });
});
