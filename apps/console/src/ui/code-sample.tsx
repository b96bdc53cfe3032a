// A command to paste, with its copy button.
import { CopyButton } from './copy-button.tsx';

export function CodeSample({ title, code }: { title: string; code: string }) {
  return (
    <figure className="overflow-hidden rounded-xl bg-kumo-base ring ring-kumo-hairline">
      <figcaption className="flex items-center justify-between gap-3 border-b border-kumo-hairline py-1.5 pr-2 pl-4 text-sm text-kumo-subtle">
        {title}
        <CopyButton text={code} />
      </figcaption>
      <pre className="overflow-x-auto p-4 font-mono text-xs leading-relaxed">{code}</pre>
    </figure>
  );
}
