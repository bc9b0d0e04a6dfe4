/** `sallyport health`: asks the health listener of a running sidecar, for container health checks. */
import { get } from 'node:http'
import { loadConfig } from '../../config/load.ts'
import { formatAddress, parseAddress, type Address } from '../../units.ts'
import { configFile, configOption } from '../config-file.ts'
import { CommandError, exitCodes, UsageError, type Command } from '../command.ts'

const patience = 2_000

interface Answer {
  readonly status: number
  readonly text: string
}

const ask = (address: Address, path: string): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const host =
      address.host === '0.0.0.0' ? '127.0.0.1' : address.host === '::' ? '::1' : address.host
    const request = get({ host, port: address.port, path, timeout: patience }, (response) => {
      const parts: Buffer[] = []
      response.on('data', (part: Buffer) => parts.push(part))
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(parts).toString('utf8') }),
      )
      response.on('error', reject)
    })
    request.on('timeout', () => request.destroy(new Error('no answer in time')))
    request.on('error', reject)
  })

/** The command. */
export const health: Command = {
  name: 'health',
  summary: 'ask a running sidecar whether it is ready',
  options: {
    config: configOption,
    address: {
      type: 'text',
      value: 'host:port',
      description: 'ask there, without reading a configuration',
    },
    live: { type: 'switch', description: 'ask whether it lives instead of whether it is ready' },
    verbose: { type: 'switch', description: 'print every check' },
  },
  async run(given, { directory, environment, now, terminal }) {
    const text = given.text('address')
    const address =
      text === undefined
        ? loadConfig({ file: configFile(given, environment), environment, now, directory }).config
            .listeners.health
        : parseAddress(text)
    if (!address) throw new UsageError(`${text} is not an address`, 'write it like 127.0.0.1:15021')
    const path = given.has('live') ? '/livez' : '/readyz'
    const answer = await ask(address, given.has('verbose') ? `${path}?verbose` : path).catch(
      (error: Error) => {
        throw new CommandError(
          `${formatAddress(address)} does not answer: ${error.message}`,
          'start the sidecar with sallyport run',
        )
      },
    )
    terminal.print(answer.text.trim())
    return answer.status === 200 ? exitCodes.ok : exitCodes.failed
  },
}
