/** `sallyport run`: starts the sidecar and stays until it is told to stop. */
import { loadConfig, type LoadedConfig } from '../../config/load.ts'
import { ConfigFaults } from '../../config/read/fault.ts'
import { IdentityFileError } from '../../identity/identity-error.ts'
import { startSidecar, type Sidecar } from '../../sidecar.ts'
import { formatAddress } from '../../units.ts'
import { configFile, configOption } from '../config-file.ts'
import { exitCodes, type Command } from '../command.ts'
import type { Terminal } from '../terminal.ts'

const gatherHangupsMs = 1_000

const tellDoors = (sidecar: Sidecar, loaded: LoadedConfig, terminal: Terminal): void => {
  const { peer, app, health, admin, metrics, services } = sidecar.addresses
  const doors = [
    ['mesh', peer],
    ['app', app],
    ['health', health],
    ['admin', admin],
    ['metrics', metrics],
    ...Object.entries(services),
  ] as const
  const text = doors.flatMap(([name, address]) =>
    address === undefined ? [] : [`${name} ${formatAddress(address)}`],
  )
  terminal.tell(`sallyport: ${loaded.config.service.name} is ready: ${text.join(', ')}`)
  for (const { setting, line } of loaded.unsafe) {
    terminal.tell(
      `sallyport: ${terminal.paint('yellow', 'unsafe')}: ${loaded.file}:${line}: ${setting} is in force`,
    )
  }
}

/** An identity that cannot be used at start is a fault of the configuration like any other. */
const asConfigFault = (error: unknown): unknown => {
  if (!(error instanceof IdentityFileError)) return error
  const { file, expected, got, fix } = error.problem
  return new ConfigFaults([{ file, line: 1, column: 1, setting: '', expected, got, hint: fix }])
}

/** The command. */
export const runSidecar: Command = {
  name: 'run',
  summary: 'start the sidecar',
  details:
    'Runs until SIGTERM or SIGINT, then finishes what is in flight; a second signal ends that too. SIGHUP reads the\nconfiguration again, which a change of the files does as well.',
  options: { config: configOption },
  examples: ['sallyport run --config /etc/sallyport/sallyport.yaml'],
  async run(given, { directory, environment, now, onHangup, stopped, terminal }) {
    const files = { file: configFile(given, environment), environment, now, directory }
    const loaded = loadConfig(files)
    const stop = stopped()
    const load = () => loadConfig({ ...files, compiling: 'later' })
    const sidecar = await startSidecar({ loaded, load }).catch((error: unknown) => {
      throw asConfigFault(error)
    })
    let gathering = false
    onHangup(() => {
      if (gathering) return
      gathering = true
      setTimeout(() => {
        gathering = false
        void sidecar.reload.reload()
      }, gatherHangupsMs).unref()
    })
    tellDoors(sidecar, loaded, terminal)
    const signal = await stop
    terminal.tell(`sallyport: ${signal}: finishing what is in flight`)
    const ended = sidecar.stop()
    void stopped().then(() => sidecar.stop())
    await ended
    return exitCodes.ok
  },
}
