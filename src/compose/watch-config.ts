/** Watches the files of the configuration and puts a change into force, whole or not at all. */
import type { LoadedConfig } from '../config/load.ts'
import { formatFault } from '../config/read/fault.ts'
import { Reload, type ReloadEvent } from '../config/reload.ts'
import { systemTimers, watchFiles } from '../config/watch.ts'
import type { Core } from './foundation.ts'

/** The running watch. */
export interface ConfigWatch {
  readonly reload: Reload
  /** Looks at the files now, for SIGHUP. */
  check(): void
  stop(): void
}

/** Starts to watch. */
export const watchConfig = (
  core: Core,
  loaded: LoadedConfig,
  load: () => LoadedConfig,
  { apply }: { readonly apply: (next: LoadedConfig) => Promise<void> },
): ConfigWatch => {
  const { log, metrics } = core.telemetry
  const tell = (event: ReloadEvent): void => {
    metrics.configStale.with('config').set(event.kind === 'kept' ? 1 : 0)
    metrics.configReloads.with('config', event.kind === 'kept' ? 'failed' : 'ok').add()
    if (event.kind === 'applied') {
      metrics.configInfo.clear()
      metrics.configInfo.with(event.revision).set(1)
      log.info('the configuration was put into force', {
        revision: event.revision,
        restart_needed: event.restartNeeded,
      })
      return
    }
    log.error('the configuration is wrong; the last good one stays in force', {
      revision: event.revision,
      faults: event.faults.map(formatFault),
    })
  }
  metrics.configInfo.with(loaded.revision).set(1)
  metrics.configStale.with('config').set(0)
  const reload = new Reload({ initial: loaded, load, apply, onEvent: tell, now: core.world.now })
  const watch = watchFiles({
    paths: () => {
      const { file, config } = reload.current
      const { bundle, directory } = config.policy
      const policies =
        bundle === undefined ? [directory] : [bundle.file, ...(bundle.key ? [bundle.key.file] : [])]
      return [file, ...policies, config.egress.apis.directory]
    },
    timers: systemTimers,
    onChange: () => reload.reload(),
  })
  return { reload, check: () => watch.check(), stop: () => watch.stop() }
}
