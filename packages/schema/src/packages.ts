// The packages an image is made with: which names each manager takes. A name passes only by the grammar of its manager: a name of
// its registry and a version, never an option, a path, a URL or anything a shell reads.
import { z } from 'zod';

/** In the order they are installed. */
export const PACKAGE_MANAGERS = ['apt', 'cargo', 'gem', 'go', 'npm', 'pip'] as const;
export type PackageManager = (typeof PACKAGE_MANAGERS)[number];

/** Per manager. */
export const MAX_PACKAGES = 100;
const MAX_PACKAGE_LENGTH = 256;

const GRAMMARS: Record<PackageManager, { form: RegExp; example: string }> = {
  apt: {
    // A name that ends with "-" would remove the package.
    form: /^[a-z0-9][a-z0-9+.-]*[a-z0-9+.](:[a-z0-9-]*[a-z0-9])?(=[A-Za-z0-9.+:~-]*[A-Za-z0-9.+~]|\/[a-z0-9-]*[a-z0-9])?$/,
    example: 'ffmpeg or ffmpeg=7:5.1.6-0+deb12u1',
  },
  cargo: {
    form: /^[A-Za-z][A-Za-z0-9_-]*(@[0-9A-Za-z^~=<>*][0-9A-Za-z.^~=<>*+-]*)?$/,
    example: 'ripgrep or ripgrep@14.0.0',
  },
  gem: {
    // gem takes what follows `--` for flags of a compiler, so nothing may begin like an option.
    form: /^[A-Za-z0-9][A-Za-z0-9._-]*(:(~>|>=|<=|>|<|=|!=)?[0-9][0-9A-Za-z.]*)?$/,
    example: 'rails or rails:7.1.0',
  },
  go: {
    form: /^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+(\/[A-Za-z0-9_~][A-Za-z0-9_~-]*(\.[A-Za-z0-9_~-]+)*)*(@[A-Za-z0-9][A-Za-z0-9._+~/-]*)?$/,
    example: 'golang.org/x/tools/cmd/goimports or …/goimports@v0.30.0',
  },
  npm: {
    form: /^(@[A-Za-z0-9][A-Za-z0-9._~-]*\/)?[A-Za-z0-9][A-Za-z0-9._~-]*(@[0-9A-Za-z^~=<>*][0-9A-Za-z.^~=<>|*+-]*)?$/,
    example: 'express, express@4.18.0 or @types/node@22',
  },
  pip: {
    form: /^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?(\[[A-Za-z0-9._-]+(,[A-Za-z0-9._-]+)*\])?((===|==|~=|!=|<=|>=|<|>)[A-Za-z0-9.*+!_-]+(,(===|==|~=|!=|<=|>=|<|>)[A-Za-z0-9.*+!_-]+)*)?$/,
    example: 'pandas, pandas==2.2.0 or "pandas[excel]>=2,<3"',
  },
};

/** Null when it is a package of that manager, otherwise what is wrong with it. */
export function packageProblem(manager: PackageManager, name: string): string | null {
  const { form, example } = GRAMMARS[manager];
  if (name.length > MAX_PACKAGE_LENGTH)
    return `has ${name.length} characters; the limit is ${MAX_PACKAGE_LENGTH}`;
  return form.test(compactPackage(manager, name))
    ? null
    : `is no ${manager} package: write a name of its registry, e.g. ${example}`;
}

/** Without the white space that pip lets stand around what separates; no other manager does. */
export function compactPackage(manager: PackageManager, name: string): string {
  return manager === 'pip' ? name.replace(/ *(\[|\]|,|===?|[~!<>]=|<|>) */g, '$1') : name;
}

const packagesOf = (manager: PackageManager) =>
  z
    .array(
      z.string().superRefine((name, context) => {
        const problem = packageProblem(manager, name);
        if (problem === null) return;
        context.addIssue({ code: 'custom', message: `${JSON.stringify(name.slice(0, 80))} ${problem}` });
      }),
    )
    .max(MAX_PACKAGES)
    .nullish();

export const packagesParam = z.object({
  type: z.literal('packages').optional(),
  apt: packagesOf('apt'),
  cargo: packagesOf('cargo'),
  gem: packagesOf('gem'),
  go: packagesOf('go'),
  npm: packagesOf('npm'),
  pip: packagesOf('pip'),
});
export type PackagesParam = z.infer<typeof packagesParam>;

export const packages = z.object({
  type: z.literal('packages'),
  apt: z.array(z.string()),
  cargo: z.array(z.string()),
  gem: z.array(z.string()),
  go: z.array(z.string()),
  npm: z.array(z.string()),
  pip: z.array(z.string()),
});
export type Packages = z.infer<typeof packages>;
