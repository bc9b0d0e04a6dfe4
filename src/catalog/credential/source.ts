/**
 * Reads a key from where the entry says: a file, the environment, a command, a Vault-compatible HTTP API.
 *
 * One reading at a time; `keeper.ts` decides when. What is read never appears in a reason: reasons name the source.
 * Everything it touches is passed in, so that tests and the guarded egress can stand in for it.
 */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { isAbsolute, join } from 'node:path'
import { Secret } from '../../secret.ts'
import type { CredentialSource } from '../entry/credential.ts'

/** One HTTP exchange with a secret store; the line sends it through the guarded egress. */
export type SecretTransport = (request: {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly timeoutMs: number
}) => Promise<{ readonly status: number; readonly body: string }>

/** What reading touches. */
export interface SourceReaders {
  readonly readFile: (path: string) => Promise<string>
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly run: (command: readonly string[], timeoutMs: number) => Promise<string>
  readonly transport: SecretTransport
}

/** A key, or why there is none. */
export type SourceReading =
  | { readonly kind: 'key'; readonly key: Secret }
  | {
      readonly kind: 'missing'
      /** `absent`: the source says that there is no key. `unavailable`: the source cannot be asked now. */
      readonly reason: 'absent' | 'unavailable'
      readonly detail: string
    }

/** The longest key that is accepted; anything longer is a wrong file. */
export const longestKey = 64 * 1024

const missing = (reason: 'absent' | 'unavailable', detail: string): SourceReading => ({
  kind: 'missing',
  reason,
  detail,
})

/** Runs a command without a shell, with no more environment than it needs. */
export const runCommand = (command: readonly string[], timeoutMs: number): Promise<string> =>
  new Promise((resolve, reject) => {
    const [program = '', ...rest] = command
    execFile(
      program,
      rest,
      {
        timeout: timeoutMs,
        killSignal: 'SIGKILL',
        maxBuffer: longestKey,
        windowsHide: true,
        env: { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '' },
      },
      (error, output) => {
        if (!error) resolve(output)
        // The output and the arguments may hold the secret, so neither reaches the message.
        else
          reject(
            new Error(
              error.killed
                ? `took longer than ${timeoutMs} ms`
                : `failed with ${String(error.code)}`,
            ),
          )
      },
    )
  })

/** Readers on the real file system and environment; the transport is the caller's. */
export const systemReaders = (transport: SecretTransport): SourceReaders => ({
  readFile: (path) => readFile(path, 'utf8'),
  environment: process.env,
  run: runCommand,
  transport,
})

/** Reads one source; `directory` is where relative paths start. Never throws. */
export const readSource = async (
  source: CredentialSource,
  directory: string,
  readers: SourceReaders,
): Promise<SourceReading> => {
  const read = await readRaw(source, directory, readers)
  if (read.kind === 'missing') return read
  const text = read.text.replace(/\r?\n$/, '')
  if (Buffer.byteLength(text) > longestKey)
    return missing('absent', `${read.name} is longer than ${longestKey} bytes`)
  if (source.field === undefined)
    return text === ''
      ? missing('absent', `${read.name} is empty`)
      : { kind: 'key', key: new Secret(text) }
  const value = memberOf(text, source.field)
  return value === undefined
    ? missing('absent', `${read.name} is no JSON object with a text ${source.field}`)
    : { kind: 'key', key: new Secret(value) }
}

const memberOf = (text: string, field: string): string | undefined => {
  try {
    const json = JSON.parse(text) as unknown
    if (typeof json !== 'object' || json === null || !Object.hasOwn(json, field)) return undefined
    const value = (json as Record<string, unknown>)[field]
    return typeof value === 'string' && value !== '' ? value : undefined
  } catch {
    return undefined
  }
}

type RawReading =
  | Extract<SourceReading, { kind: 'missing' }>
  | { readonly kind: 'text'; readonly text: string; readonly name: string }

const absentOr = (detail: string): RawReading => ({ kind: 'missing', reason: 'absent', detail })
const unavailable = (detail: string): RawReading => ({
  kind: 'missing',
  reason: 'unavailable',
  detail,
})

const readRaw = async (
  source: CredentialSource,
  directory: string,
  readers: SourceReaders,
): Promise<RawReading> => {
  if (source.file !== undefined) return await readKeyFile(source.file, directory, readers)
  if (source.environment !== undefined) {
    const text = readers.environment[source.environment]
    const name = `environment variable ${source.environment}`
    return text === undefined ? absentOr(`${name} is not set`) : { kind: 'text', text, name }
  }
  if (source.command !== undefined) {
    const name = `command ${source.command[0]}`
    try {
      return { kind: 'text', text: await readers.run(source.command, source.timeout), name }
    } catch (error) {
      return unavailable(`${name} ${error instanceof Error ? error.message : 'failed'}`)
    }
  }
  return await readVault(source, directory, readers)
}

const readKeyFile = async (
  file: string,
  directory: string,
  readers: SourceReaders,
): Promise<RawReading> => {
  const name = `file ${file}`
  try {
    return {
      kind: 'text',
      text: await readers.readFile(isAbsolute(file) ? file : join(directory, file)),
      name,
    }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'an error'
    return code === 'ENOENT'
      ? absentOr(`${name} does not exist`)
      : unavailable(`${name} cannot be read: ${code}`)
  }
}

const readVault = async (
  source: CredentialSource,
  directory: string,
  readers: SourceReaders,
): Promise<RawReading> => {
  const { vault } = source
  if (!vault) return absentOr('no source is declared')
  const token = await readKeyFile(vault.token_file, directory, readers)
  if (token.kind === 'missing') return token
  const name = `vault secret ${vault.path}`
  const headers: Record<string, string> = {
    'x-vault-token': token.text.trim(),
    'x-vault-request': 'true',
  }
  if (vault.namespace !== undefined) headers['x-vault-namespace'] = vault.namespace
  try {
    const url = new URL(`/v1/${vault.path.replace(/^\//, '')}`, vault.address).href
    const { status, body } = await readers.transport({ url, headers, timeoutMs: source.timeout })
    if (status === 404) return absentOr(`${name} does not exist`)
    if (status === 403) return absentOr(`${name} may not be read with this token`)
    if (status !== 200) return unavailable(`${name} is answered ${status}`)
    const value = vaultField(body, vault.field)
    return value === undefined
      ? absentOr(`${name} has no text field ${vault.field}`)
      : { kind: 'text', text: value, name }
  } catch {
    return unavailable(`${name} cannot be reached`)
  }
}

/** Version 2 of the key-value engine wraps the data once more than version 1. */
const vaultField = (body: string, field: string): string | undefined => {
  const first = memberObject(JSON.parse(body), 'data')
  const second = memberObject(first, 'data')
  const value = (second ?? first)?.[field]
  return typeof value === 'string' && value !== '' ? value : undefined
}

const memberObject = (value: unknown, name: string): Record<string, unknown> | undefined => {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined
  const member = (value as Record<string, unknown>)[name]
  return typeof member === 'object' && member !== null
    ? (member as Record<string, unknown>)
    : undefined
}
