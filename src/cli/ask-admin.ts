/** Asks the admin listener of a running sidecar. */
import { get } from 'node:http'
import { loadSection } from '../config/load.ts'
import { formatAddress, parseAddress, type Address } from '../units.ts'
import { configFile, configOption } from './config-file.ts'
import { CommandError, UsageError, type Given, type Option, type Surroundings } from './command.ts'

const patience = 2_000

/** What a listener said. */
export interface Answer {
  readonly status: number
  readonly text: string
}

/** Asks a listener of a sidecar, on this machine when it listens everywhere. */
export const ask = (address: Address, path: string): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const anywhere: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' }
    const host = anywhere[address.host] ?? address.host
    const fail = (error: Error): void =>
      reject(
        new CommandError(
          `${formatAddress(address)} does not answer: ${error.message}`,
          'start the sidecar with sallyport run',
        ),
      )
    const request = get({ host, port: address.port, path, timeout: patience }, (response) => {
      const parts: Buffer[] = []
      response.on('data', (part: Buffer) => parts.push(part))
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(parts).toString('utf8') }),
      )
      response.on('error', fail)
    })
    request.on('timeout', () => request.destroy(new Error('no answer in time')))
    request.on('error', fail)
  })

/** The options that say which listener to ask. */
export const askOptions: Readonly<Record<string, Option>> = {
  config: configOption,
  address: {
    type: 'text',
    value: 'host:port',
    description: 'ask there, without reading a configuration',
  },
}

/** The address that the options name, else that of the configuration. */
export const addressToAsk = (
  given: Given,
  { directory, environment, now }: Surroundings,
  listener: 'admin' | 'health',
): Address => {
  const text = given.text('address')
  if (text !== undefined) {
    const address = parseAddress(text)
    if (address) return address
    throw new UsageError(`${text} is not an address`, 'write it like 127.0.0.1:15021')
  }
  const options = { file: configFile(given, environment), environment, now, directory }
  return listener === 'health'
    ? loadSection(options, 'listeners').health
    : loadSection(options, 'admin').listen
}

/** A JSON view of the admin listener. */
export const askAdmin = async (
  given: Given,
  surroundings: Surroundings,
  path: string,
): Promise<unknown> => {
  const address = addressToAsk(given, surroundings, 'admin')
  const { status, text } = await ask(address, path)
  if (status !== 200) throw new CommandError(`${formatAddress(address)}${path} answers ${status}`)
  return JSON.parse(text) as unknown
}
