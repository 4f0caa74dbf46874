import { t } from '../messages/common.ts';
import { goTo } from '../router.ts';
import type { Command } from '../state/commands.svelte.ts';
import { theme } from '../state/theme.svelte.ts';
import { ZONE_CHOICES, timeZone } from '../state/time-zone.svelte.ts';
import { RAIL } from './rail-items.ts';

const THEMES = ['light', 'dark', 'system'] as const;

/** What can be done on every page. */
export function frameCommands(showKeys: () => void): Command[] {
  const { nav, commands, theme: themes, timeZone: zones } = t();
  return [
    ...RAIL.flatMap(({ items }) => items).map(({ name, href, key }) => ({
      id: `go.${name}`,
      label: nav[name],
      group: commands.go,
      ...(key && { keys: `g ${key}` }),
      run: () => void goTo(href),
    })),
    ...THEMES.map((choice) => ({
      id: `theme.${choice}`,
      label: `${themes.label}: ${themes[choice]}`,
      group: commands.view,
      run: () => void (theme.current = choice),
    })),
    ...ZONE_CHOICES.filter((choice) => choice !== 'dag' || timeZone.ofDag).map((choice) => ({
      id: `zone.${choice}`,
      label: `${zones.label}: ${zones[choice]}`,
      group: commands.view,
      run: () => void (timeZone.choice = choice),
    })),
    { id: 'keys', label: commands.showKeys, group: commands.view, keys: '?', run: showKeys },
  ];
}
