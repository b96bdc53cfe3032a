// Says, for as long as it is so, that a stand-in model answers. It is never hidden by a click.
import type { ModelNotice } from '@capstan/schema/console-login';
import { FlaskIcon, WarningIcon } from '@phosphor-icons/react';

export function ModelBanner({ model }: { model: ModelNotice }) {
  if (model.provider === 'configured') return null;
  const dev = model.provider === 'dev';
  const Icon = dev ? FlaskIcon : WarningIcon;
  return (
    <aside
      aria-label="Model"
      className={`flex gap-2.5 border-b border-kumo-hairline px-4 py-2 text-xs sm:px-6 sm:text-sm ${dev ? 'bg-accent-tint' : 'bg-kumo-warning-tint'}`}
    >
      <Icon weight="fill" className={`mt-0.5 size-4 shrink-0 ${dev ? 'text-accent' : 'text-kumo-warning'}`} />
      <p className="text-kumo-default">{model.message}</p>
    </aside>
  );
}
