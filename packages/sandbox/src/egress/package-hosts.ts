// Package hosts: where the package managers of `limited` environments download from, and who says so.

interface Registry {
  hosts: readonly string[];
  source: string;
}

const REGISTRIES = {
  apt: {
    hosts: [
      'deb.debian.org',
      'security.debian.org',
      'snapshot.debian.org',
      'archive.ubuntu.com',
      '*.archive.ubuntu.com',
      'security.ubuntu.com',
      'ports.ubuntu.com',
    ],
    source: 'deb.debian.org and security.debian.org of debian images; sources.list of ubuntu images',
  },
  pip: {
    hosts: ['pypi.org', 'files.pythonhosted.org'],
    source: 'docs.pypi.org/api: the index and the files it links to',
  },
  npm: {
    hosts: ['registry.npmjs.org', 'registry.yarnpkg.com'],
    source: 'npm help registry; yarn classic is an alias of the same registry',
  },
  cargo: {
    hosts: ['index.crates.io', 'static.crates.io'],
    source: 'doc.rust-lang.org/cargo/reference/registry-index: config.json of the sparse index',
  },
  gem: {
    hosts: ['rubygems.org', 'index.rubygems.org'],
    source: 'guides.rubygems.org/rubygems-org-compact-index-api',
  },
  // Its largest archives are redirected to storage.googleapis.com, which is everybody's bucket and so not among these.
  go: {
    hosts: ['proxy.golang.org', 'sum.golang.org'],
    source: 'go.dev/ref/mod: GOPROXY and GOSUMDB',
  },
} as const satisfies Record<string, Registry>;

export type PackageManager = keyof typeof REGISTRIES;

/** The patterns of one package manager, over http and https. */
export function packageHostsOf(manager: PackageManager): readonly string[] {
  return REGISTRIES[manager].hosts;
}

/** Every package manager's patterns, sorted. */
export const PACKAGE_HOSTS: readonly string[] = Object.values<Registry>(REGISTRIES)
  .flatMap(({ hosts }) => hosts)
  .toSorted();
