/** What a sidecar takes from outside: the clock, the environment, where its log goes. Tests hold them. */
import type { Writable } from 'node:stream'
import type { Environment } from '../config/environment.ts'

/** The world of one sidecar. */
export interface World {
  /** Wall clock in milliseconds since the epoch. */
  readonly now: () => number
  /** A clock in milliseconds that never goes back. */
  readonly monotonic: () => number
  /** A number in [0, 1). */
  readonly random: () => number
  readonly environment: Environment
  /** Standard output when absent. */
  readonly logOutput: Writable | undefined
}

/** The world of the process. */
export const processWorld: World = {
  now: Date.now,
  monotonic: () => performance.now(),
  random: Math.random,
  environment: process.env,
  logOutput: undefined,
}
