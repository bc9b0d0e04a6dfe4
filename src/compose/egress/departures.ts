/** The guard over what leaves, for the keys that are in force: made anew when a key or the settings change. */
import type { KeyKeeper } from '../../catalog/credential/keeper.ts'
import { LeakGuard } from '../../catalog/leak/leak-guard.ts'
import type { ApisSection } from '../../catalog/section.ts'
import type { DepartureGuard } from '../../egress/check-request.ts'

/** Gives the guard of the moment. */
export const departureGuards = (
  keys: KeyKeeper,
  settings: () => ApisSection,
): { readonly current: () => DepartureGuard; renew(): void } => {
  let made: DepartureGuard | undefined
  const renew = (): void => {
    made = undefined
  }
  keys.subscribe(renew)
  return { renew, current: () => (made ??= guardOf(keys, settings())) }
}

const guardOf = (keys: KeyKeeper, settings: ApisSection): DepartureGuard => {
  const held = keys.all()
  const guard = new LeakGuard(settings, held)
  const always =
    Object.keys(settings.data_classes).length > 0 ||
    (settings.leak_guard.mode !== 'off' && settings.leak_guard.patterns.length > 0)
  const names = new Set(held.map(({ entry }) => entry.name))
  const looksForKeys = settings.leak_guard.mode !== 'off'
  return {
    bodyLimit: settings.leak_guard.body_limit,
    watches: (destination) =>
      always ||
      settings.mode === 'observe' ||
      (looksForKeys && (names.size > 1 || (names.size === 1 && !names.has(destination)))),
    judge: (destination, departure, encoding) => guard.judge(destination, departure, encoding),
  }
}
