/** `sallyport check`: everything that can be found wrong without opening a socket, all at once. */
import { loadConfig, type LoadedConfig } from '../../config/load.ts'
import { ConfigFaults } from '../../config/read/fault.ts'
import { configFile, configOption } from '../config-file.ts'
import { exitCodes, type Command } from '../command.ts'
import type { Terminal } from '../terminal.ts'

const summary = (loaded: LoadedConfig): string => {
  const { config, policies, catalog } = loaded
  const count = (number: number, one: string, many: string) =>
    `${number} ${number === 1 ? one : many}`
  return [
    count(config.inbound?.routes.length ?? 0, 'route', 'routes'),
    count(config.outbound.services.length, 'service', 'services'),
    count(catalog.entries.length, 'API', 'APIs'),
    count(policies.modules.length, 'policy file', 'policy files'),
  ].join(', ')
}

const tellUnsafe = (loaded: LoadedConfig, file: string, terminal: Terminal): void => {
  for (const { setting, line } of loaded.unsafe) {
    terminal.tell(`${file}:${line}: ${terminal.paint('yellow', 'unsafe')}: ${setting} is in force`)
  }
}

/** The command. */
export const check: Command = {
  name: 'check',
  summary: 'check the configuration, policies, catalog and certificates without opening a socket',
  details:
    'All faults are reported at once, each with file, line, column, what was expected, what is there and how to mend\nit. Exits with 78 when there is one.',
  options: {
    config: configOption,
    json: { type: 'switch', description: 'print one JSON document' },
  },
  examples: ['sallyport check', 'sallyport check --config deploy/sallyport.yaml --json'],
  run(given, { directory, environment, now, terminal }) {
    const file = configFile(given, environment)
    try {
      const loaded = loadConfig({ file, environment, now, directory })
      if (given.has('json')) {
        const { revision, unsafe } = loaded
        terminal.print(JSON.stringify({ ok: true, file, revision, unsafe, faults: [] }))
        return exitCodes.ok
      }
      tellUnsafe(loaded, file, terminal)
      terminal.print(
        `${file}: ${terminal.paint('green', 'ok')}, revision ${loaded.revision}: ${summary(loaded)}`,
      )
      return exitCodes.ok
    } catch (error) {
      if (!(error instanceof ConfigFaults) || !given.has('json')) throw error
      terminal.print(JSON.stringify({ ok: false, file, faults: error.faults }))
      return exitCodes.config
    }
  },
}
