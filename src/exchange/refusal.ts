/**
 * The four kinds of failure, and nothing else: a stage throws one of these and the runner turns it into an answer.
 *
 * `Refusal`: we decided not to pass it. `UpstreamFault`: the app, the peer or the API failed us. `Bug`: anything
 * that is neither. A configuration fault never reaches a request and lives with the configuration.
 */
import { codes, isCode, type Code, type CodeEntry } from './codes.ts'

/** What a refusal may add to its row of the table. None of it may hold a secret or a token. */
export interface RefusalDetail {
  /** One sentence on this case, for the app beside us and for authenticated peers. */
  readonly detail?: string
  /** The fix for this case, when it is better than the one of the table. */
  readonly hint?: string
  /** Headers of the answer, such as `www-authenticate`, `allow` or `retry-after`. */
  readonly headers?: readonly (readonly [name: string, value: string])[]
  /** Further members of the problem document, for the same readers as `detail`. */
  readonly members?: Readonly<Record<string, unknown>>
  /** A status, body and headers that the policy chose instead of ours. */
  readonly override?: { readonly status: number; readonly body: string | undefined }
  /** Milliseconds after which a retry can help; becomes `Retry-After`. */
  readonly retryAfterMs?: number
}

/** A decision not to pass the request on. */
export class Refusal extends Error {
  readonly code: Code
  readonly more: RefusalDetail

  constructor(code: Code, more: RefusalDetail = {}) {
    super(more.detail ?? codes[code].title)
    this.name = 'Refusal'
    this.code = code
    this.more = more
  }

  get entry(): CodeEntry {
    return codes[this.code]
  }
}

/** The app, the peer or the API failed: we wanted to pass the request and could not. */
export class UpstreamFault extends Refusal {
  constructor(code: Code, more: RefusalDetail = {}) {
    super(code, more)
    this.name = 'UpstreamFault'
  }
}

/** Reads any thrown value as a refusal. What is not one of ours is a bug and is answered as `sidecar.bug`. */
export const asRefusal = (thrown: unknown): Refusal =>
  thrown instanceof Refusal ? thrown : new Bug(thrown)

/** A defect of this process. The cause goes to the log and never to a caller. */
export class Bug extends Refusal {
  override readonly cause: unknown

  constructor(cause: unknown) {
    super('sidecar.bug')
    this.name = 'Bug'
    this.cause = cause
  }
}

/** The code `family.reason` if the table has it, else the fallback: for translating the errors of a library. */
export const codeOf = (family: string, reason: string, fallback: Code): Code => {
  const code = `${family}.${reason}`
  return isCode(code) ? code : fallback
}
