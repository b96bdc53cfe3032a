// From the packages an environment asks for to the recipe of its image. Pure.
//  1. A package passes only by the grammar of its manager: a name of a registry and a version, never an option, a path, a URL
//     or anything a shell reads. It is quoted nevertheless.
//  2. The same packages, in any order and however often, are the same recipe, and so the same image.
import { SandboxError } from './error.ts';
import type { ImageRecipe } from './port.ts';

/** In the order they are installed. */
export const PACKAGE_MANAGERS = ['apt', 'cargo', 'gem', 'go', 'npm', 'pip'] as const;
export type PackageManager = (typeof PACKAGE_MANAGERS)[number];
export type Packages = { readonly [Manager in PackageManager]?: readonly string[] };

export const MAX_PACKAGES = 100;
const MAX_PACKAGE_LENGTH = 256;

interface Grammar {
  /** A whole package, without white space. */
  form: RegExp;
  example: string;
  /** Debian packages that bring the manager, for an image without it. */
  toolchain: string;
  program: string;
  install: (quoted: string[]) => string;
}

const APT_INSTALL = 'DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends --';
const apt = (quoted: string[]) =>
  `apt-get update && ${APT_INSTALL} ${quoted.join(' ')} && rm -rf /var/lib/apt/lists/*`;

const GRAMMARS: { readonly [Manager in PackageManager]: Grammar } = {
  apt: {
    // A name that ends with "-" would remove the package.
    form: /^[a-z0-9][a-z0-9+.-]*[a-z0-9+.](:[a-z0-9-]*[a-z0-9])?(=[A-Za-z0-9.+:~-]*[A-Za-z0-9.+~]|\/[a-z0-9-]*[a-z0-9])?$/,
    example: 'ffmpeg or ffmpeg=7:5.1.6-0+deb12u1',
    toolchain: '',
    program: 'apt-get',
    install: apt,
  },
  cargo: {
    form: /^[A-Za-z][A-Za-z0-9_-]*(@[0-9A-Za-z^~=<>*][0-9A-Za-z.^~=<>*+-]*)?$/,
    example: 'ripgrep or ripgrep@14.0.0',
    toolchain: 'cargo build-essential pkg-config',
    program: 'cargo',
    install: (quoted) => `cargo install --locked --root /usr/local -- ${quoted.join(' ')}`,
  },
  gem: {
    // gem takes what follows `--` for flags of a compiler, so nothing here may begin like an option.
    form: /^[A-Za-z0-9][A-Za-z0-9._-]*(:(~>|>=|<=|>|<|=|!=)?[0-9][0-9A-Za-z.]*)?$/,
    example: 'rails or rails:7.1.0',
    toolchain: 'ruby-dev build-essential',
    program: 'gem',
    install: (quoted) => `gem install --no-document ${quoted.join(' ')}`,
  },
  go: {
    form: /^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+(\/[A-Za-z0-9_~][A-Za-z0-9_~-]*(\.[A-Za-z0-9_~-]+)*)*(@[A-Za-z0-9][A-Za-z0-9._+~/-]*)?$/,
    example: 'golang.org/x/tools/cmd/goimports or …/goimports@v0.30.0',
    toolchain: 'golang-go git',
    program: 'go',
    // Packages of different modules cannot be installed by one command.
    install: (quoted) => quoted.map((name) => `GOBIN=/usr/local/bin go install ${name}`).join(' && '),
  },
  npm: {
    form: /^(@[A-Za-z0-9][A-Za-z0-9._~-]*\/)?[A-Za-z0-9][A-Za-z0-9._~-]*(@[0-9A-Za-z^~=<>*][0-9A-Za-z.^~=<>|*+-]*)?$/,
    example: 'express, express@4.18.0 or @types/node@22',
    toolchain: 'nodejs npm',
    program: 'npm',
    install: (quoted) => `npm install --global --no-audit --no-fund -- ${quoted.join(' ')}`,
  },
  pip: {
    form: /^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?(\[[A-Za-z0-9._-]+(,[A-Za-z0-9._-]+)*\])?((===|==|~=|!=|<=|>=|<|>)[A-Za-z0-9.*+!_-]+(,(===|==|~=|!=|<=|>=|<|>)[A-Za-z0-9.*+!_-]+)*)?$/,
    example: 'pandas, pandas==2.2.0 or "pandas[excel]>=2,<3"',
    toolchain: 'python3-pip',
    program: 'pip',
    // Distributions that keep pip out of their own Python have nobody else in this image to protect.
    install: (quoted) =>
      `PIP_BREAK_SYSTEM_PACKAGES=1 PIP_ROOT_USER_ACTION=ignore pip install --no-cache-dir --no-input -- ${quoted.join(' ')}`,
  },
};

/** The recipe that installs them on `base`, a Debian image; throws `invalid`, naming the first package that is none. No packages: no lines. */
export function recipeOf(packages: Packages, base?: string): ImageRecipe {
  const wanted = PACKAGE_MANAGERS.flatMap((manager) => {
    const names = sorted(manager, packages[manager] ?? []);
    return names.length === 0 ? [] : [{ grammar: GRAMMARS[manager], names }];
  });
  const toolchains = wanted.flatMap(({ grammar: { program, toolchain } }) =>
    toolchain === '' ? [] : [`RUN command -v ${program} >/dev/null || { ${apt([toolchain])}; }`],
  );
  const installs = wanted.map(({ grammar, names }) => `RUN ${grammar.install(names.map(quote))}`);
  return { ...(base !== undefined && { base }), lines: [...toolchains, ...installs] };
}

/** Null when it is a package of that manager, otherwise what is wrong with it. */
export function packageProblem(manager: PackageManager, name: string): string | null {
  const { form, example } = GRAMMARS[manager];
  if (name.length > MAX_PACKAGE_LENGTH)
    return `has ${name.length} characters; the limit is ${MAX_PACKAGE_LENGTH}`;
  return form.test(compact(manager, name))
    ? null
    : `is no ${manager} package: write a name of its registry, e.g. ${example}`;
}

function sorted(manager: PackageManager, names: readonly string[]): string[] {
  if (names.length > MAX_PACKAGES)
    throw new SandboxError(
      'invalid',
      `packages.${manager}: has ${names.length} entries; the limit is ${MAX_PACKAGES}`,
    );
  const whole = names.map((name, index) => {
    const problem = packageProblem(manager, name);
    if (problem === null) return compact(manager, name);
    throw new SandboxError(
      'invalid',
      `packages.${manager}.${index}: ${JSON.stringify(name.slice(0, 80))} ${problem}`,
    );
  });
  const versioned =
    manager === 'go' ? whole.map((name) => (name.includes('@') ? name : `${name}@latest`)) : whole;
  return [...new Set(versioned)].toSorted();
}

/** pip lets white space stand around what separates; no other manager does. */
function compact(manager: PackageManager, name: string): string {
  return manager === 'pip' ? name.replace(/ *(\[|\]|,|===?|[~!<>]=|<|>) */g, '$1') : name;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
