// What is uploaded, as the API reference shows it: for every route that takes a form, its parts, and for every one that takes
// bytes, those. Each is valid: sent as it stands, the route takes it.

/** A file where it has a filename, otherwise a field. */
export interface ExamplePart {
  name: string;
  filename?: string;
  value: string;
}

const skillFiles: readonly ExamplePart[] = [
  {
    name: 'files[]',
    filename: 'quarterly-report/SKILL.md',
    value:
      '---\nname: quarterly-report\ndescription: How quarterly reports are written here.\n---\nBegin with template.md.\n',
  },
  { name: 'files[]', filename: 'quarterly-report/template.md', value: '# Results\n' },
];

/** By `operationId`, in the order in which they are sent. */
export const FORM_EXAMPLES: Readonly<Record<string, readonly ExamplePart[]>> = {
  uploadFile: [
    { name: 'expires_in_seconds', value: '86400' },
    { name: 'downloadable', value: 'true' },
    { name: 'file', filename: 'sales.csv', value: 'region,total\nnorth,12\nsouth,9\n' },
  ],
  createSkill: [{ name: 'display_name', value: 'Quarterly report' }, ...skillFiles],
  createSkillVersion: skillFiles,
};

/** By `operationId`. */
export const BYTES_EXAMPLES: Readonly<Record<string, string>> = {
  writeSandboxFile: 'region,total\nnorth,12\nsouth,9\n',
};

/** The form as a client sends it. */
export function formOf(parts: readonly ExamplePart[]): FormData {
  const form = new FormData();
  for (const { name, filename, value } of parts) {
    if (filename === undefined) form.append(name, value);
    else form.append(name, new Blob([value]), filename);
  }
  return form;
}

/** The form as an object with the text of each part, as OpenAPI writes it; `files[]` is a list. */
export function objectOf(parts: readonly ExamplePart[]): Record<string, string | string[]> {
  const texts = Map.groupBy(parts, ({ name }) => name);
  const members = [...texts].map(([name, some]) => {
    const values = some.map(({ value }) => value);
    return [name, name.endsWith('[]') ? values : (values[0] ?? '')] as const;
  });
  return Object.fromEntries(members);
}
