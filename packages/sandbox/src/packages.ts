// From the packages an environment asks for to the recipe of its image. Pure.
//  1. A package passes only by the grammar of its manager, and is quoted nevertheless.
//  2. The same packages, in any order and however often, are the same recipe, and so the same image.
import {
  compactPackage,
  MAX_PACKAGES,
  PACKAGE_MANAGERS,
  type PackageManager,
  packageProblem,
} from '@capstan/schema/packages';
import { SandboxError } from './error.ts';
import type { ImageRecipe } from './port.ts';

export type Packages = { readonly [Manager in PackageManager]?: readonly string[] };

interface Installer {
  /** Debian packages that bring the manager, for an image without it. */
  toolchain: string;
  program: string;
  install: (quoted: string[]) => string;
}

const APT_INSTALL = 'DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends --';
const apt = (quoted: string[]) =>
  `apt-get update && ${APT_INSTALL} ${quoted.join(' ')} && rm -rf /var/lib/apt/lists/*`;

const INSTALLERS: { readonly [Manager in PackageManager]: Installer } = {
  apt: {
    toolchain: '',
    program: 'apt-get',
    install: apt,
  },
  cargo: {
    toolchain: 'cargo build-essential pkg-config',
    program: 'cargo',
    install: (quoted) => `cargo install --locked --root /usr/local -- ${quoted.join(' ')}`,
  },
  gem: {
    toolchain: 'ruby-dev build-essential',
    program: 'gem',
    install: (quoted) => `gem install --no-document ${quoted.join(' ')}`,
  },
  go: {
    toolchain: 'golang-go git',
    program: 'go',
    // Packages of different modules cannot be installed by one command.
    install: (quoted) => quoted.map((name) => `GOBIN=/usr/local/bin go install ${name}`).join(' && '),
  },
  npm: {
    toolchain: 'nodejs npm',
    program: 'npm',
    install: (quoted) => `npm install --global --no-audit --no-fund -- ${quoted.join(' ')}`,
  },
  pip: {
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
    return names.length === 0 ? [] : [{ installer: INSTALLERS[manager], names }];
  });
  const toolchains = wanted.flatMap(({ installer: { program, toolchain } }) =>
    toolchain === '' ? [] : [`RUN command -v ${program} >/dev/null || { ${apt([toolchain])}; }`],
  );
  const installs = wanted.map(({ installer, names }) => `RUN ${installer.install(names.map(quote))}`);
  return { ...(base !== undefined && { base }), lines: [...toolchains, ...installs] };
}

function sorted(manager: PackageManager, names: readonly string[]): string[] {
  if (names.length > MAX_PACKAGES)
    throw new SandboxError(
      'invalid',
      `packages.${manager}: has ${names.length} entries; the limit is ${MAX_PACKAGES}`,
    );
  const whole = names.map((name, index) => {
    const problem = packageProblem(manager, name);
    if (problem === null) return compactPackage(manager, name);
    throw new SandboxError(
      'invalid',
      `packages.${manager}.${index}: ${JSON.stringify(name.slice(0, 80))} ${problem}`,
    );
  });
  const versioned =
    manager === 'go' ? whole.map((name) => (name.includes('@') ? name : `${name}@latest`)) : whole;
  return [...new Set(versioned)].toSorted();
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
