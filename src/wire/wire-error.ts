/**
 * The one error of this folder: a short code that a stage translates into a refusal or an upstream fault.
 *
 * Messages never hold header values, tokens or addresses of the network behind us, so they may be shown to a peer.
 */

/** What a client sent, did, or failed to do. The number is the HTTP status that fits when nobody chooses another. */
export const clientFaults = {
  malformed: 400,
  'ambiguous-length': 400,
  'duplicate-header': 400,
  'underscore-header': 400,
  'connection-header': 400,
  host: 400,
  'authority-mismatch': 421,
  path: 400,
  'method-refused': 405,
  'header-timeout': 408,
  'body-timeout': 408,
  'too-large': 413,
  'target-too-long': 414,
  expectation: 417,
  'headers-too-large': 431,
  'method-unknown': 501,
  version: 505,
  'client-gone': 400,
  'client-stalled': 408,
} as const

/** What an origin did or failed to do, with the status that fits. */
export const originFaults = {
  'address-denied': 403,
  'dns-failed': 502,
  'dns-timeout': 504,
  'dial-refused': 502,
  'dial-failed': 502,
  'dial-timeout': 504,
  'tls-failed': 502,
  'identity-mismatch': 502,
  'queue-full': 503,
  'queue-timeout': 503,
  'response-timeout': 504,
  deadline: 504,
  'upstream-reset': 502,
  'upstream-stalled': 504,
  'bad-upstream-response': 502,
  'response-too-large': 502,
} as const

/** What this side decided. */
export const ownFaults = {
  cancelled: 503,
  closing: 503,
  bug: 500,
} as const

const statusByCode = { ...clientFaults, ...originFaults, ...ownFaults }

export type WireErrorCode = keyof typeof statusByCode

/**
 * Whether the same request may be sent again.
 * `safe`: no byte of it can have been acted on (not connected, still queued).
 * `idempotent`: a reused connection died before any answer and the body can be sent again; repeat it only when the
 * method is idempotent. `never`: anything else.
 */
export type RetryAdvice = 'safe' | 'idempotent' | 'never'

export class WireError extends Error {
  override readonly name = 'WireError'
  readonly code: WireErrorCode
  readonly retry: RetryAdvice

  constructor(code: WireErrorCode, message: string, retry: RetryAdvice = 'never', cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.retry = retry
  }

  /** The HTTP status that fits the code when no stage chooses another. */
  get status(): number {
    return statusByCode[this.code]
  }
}
