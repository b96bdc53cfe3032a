// Copies a text. Where the clipboard may not be written (plain http), it says so instead of pretending.
import { Button } from '@cloudflare/kumo/components/button';
import { CheckIcon, CopyIcon, WarningIcon } from '@phosphor-icons/react';
import { useEffect, useState } from 'react';

const SHOWN_MS = 1600;

export function CopyButton({ text, label = 'Copy' }: { text: string; label?: string }) {
  const [outcome, setOutcome] = useState<'copied' | 'refused' | null>(null);
  useEffect(() => {
    if (outcome === null) return;
    const timer = setTimeout(() => setOutcome(null), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [outcome]);
  const Icon = outcome === 'copied' ? CheckIcon : outcome === 'refused' ? WarningIcon : CopyIcon;
  const said = outcome === 'copied' ? 'Copied' : outcome === 'refused' ? 'Select and copy by hand' : label;
  return (
    <Button size="sm" variant="ghost" icon={<Icon />} onClick={() => void copy(text).then(setOutcome)}>
      <span aria-live="polite">{said}</span>
    </Button>
  );
}

async function copy(text: string): Promise<'copied' | 'refused'> {
  try {
    await navigator.clipboard.writeText(text);
    return 'copied';
  } catch {
    return 'refused';
  }
}
