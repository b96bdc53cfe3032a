// System, light, dark: one button that goes round.
import { Button } from '@cloudflare/kumo/components/button';
import { DesktopIcon, MoonIcon, SunIcon } from '@phosphor-icons/react';
import { type Theme, useTheme } from '../theme.ts';

const CHOICES: { [T in Theme]: { next: Theme; label: string; icon: typeof SunIcon } } = {
  system: { next: 'light', label: 'Theme: system', icon: DesktopIcon },
  light: { next: 'dark', label: 'Theme: light', icon: SunIcon },
  dark: { next: 'system', label: 'Theme: dark', icon: MoonIcon },
};

export function ThemeSwitch() {
  const [theme, choose] = useTheme();
  const { next, label, icon: Icon } = CHOICES[theme];
  return (
    <Button
      variant="ghost"
      shape="square"
      icon={<Icon className="size-[18px]" />}
      aria-label={`${label}. Change to ${next}`}
      onClick={() => choose(next)}
    />
  );
}
