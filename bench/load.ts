/** Runs wrk from the other core and reads what it measured. */
import { spawn } from 'node:child_process'

/** One run of the load generator. */
export interface Load {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly connections: number
  readonly seconds: number
  readonly core: number
  /** Environment of wrk: the client certificate goes here. */
  readonly environment?: Readonly<Record<string, string>>
}

/** What one run gave. */
export interface LoadResult {
  readonly requestsPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly requests: number
  /** Answers that were not 2xx or 3xx, and broken connections. A run with any is no measurement. */
  readonly errors: number
}

/** Runs it. */
export const runLoad = (load: Load): Promise<LoadResult> =>
  new Promise((resolve, reject) => {
    const headers = Object.entries(load.headers).flatMap(([name, value]) => [
      '-H',
      `${name}: ${value}`,
    ])
    const child = spawn(
      'taskset',
      [
        '-c',
        String(load.core),
        'wrk',
        '-t1',
        `-c${load.connections}`,
        `-d${load.seconds}s`,
        '--latency',
        ...headers,
        load.url,
      ],
      { env: { ...process.env, ...load.environment }, stdio: ['ignore', 'pipe', 'inherit'] },
    )
    let text = ''
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString()
    })
    child.once('error', reject)
    child.once('close', () => resolve(readWrk(text)))
  })

const units: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1_000, m: 60_000 }

/** Reads the report of wrk. */
export const readWrk = (text: string): LoadResult => {
  const time = (percentile: string): number => {
    const match = new RegExp(`${percentile}%\\s+([0-9.]+)(us|ms|s|m)`).exec(text)
    return match === null ? Number.NaN : Number(match[1]) * units[match[2]!]!
  }
  const number = (pattern: RegExp): number => Number(pattern.exec(text)?.[1] ?? 0)
  const socketErrors = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(
    text,
  )
  return {
    requestsPerSecond: number(/Requests\/sec:\s+([0-9.]+)/),
    p50Ms: time('50'),
    p99Ms: time('99'),
    requests: number(/(\d+) requests in/),
    errors:
      number(/Non-2xx or 3xx responses: (\d+)/) +
      (socketErrors?.slice(1).reduce((sum, count) => sum + Number(count), 0) ?? 0),
  }
}
