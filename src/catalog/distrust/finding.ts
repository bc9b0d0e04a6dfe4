/** What the distrust and contract checks say of a message; shared by the two directions. */

/** Why a message is not passed on, or would not be. */
export interface Finding {
  /** Refusal code in the table of the exchange. */
  readonly code:
    | 'request.too-large'
    | 'api.request-contract'
    | 'api.response-too-large'
    | 'api.response-unsafe'
    | 'api.response-contract'
    | 'api.redirect'
  /** Closed list of reasons, for `error.type` and metrics. */
  readonly reason: string
  /** One sentence without any value of the message. */
  readonly detail: string
  readonly hint: string
}

/** A held message: passed on, perhaps written anew, or refused. */
export type BodyVerdict =
  | {
      readonly decision: 'pass'
      /** The very bytes that came unless `rewritten`. */
      readonly body: Buffer
      /** When `rewritten`, `content-encoding`, `etag`, `content-md5` and digests no longer hold and the length is new. */
      readonly rewritten: 'no' | 'yes'
      /** Members dropped and fields escaped, for `sallyport.redactions`. */
      readonly redactions: number
      /** What was found where the mode is `observe`. */
      readonly observed: readonly Finding[]
      /** Whether the contract held; undefined when there is none or it is off. */
      readonly schemaValid: boolean | undefined
    }
  | {
      readonly decision: 'refuse'
      readonly finding: Finding
      readonly observed: readonly Finding[]
    }

/** Headers that a rewritten body makes untrue. */
export const headersOfOriginalBody = [
  'content-encoding',
  'content-md5',
  'digest',
  'content-digest',
  'repr-digest',
  'etag',
  'accept-ranges',
] as const

/** All values of a header, in order. */
export const headerValues = (
  headers: readonly (readonly [name: string, value: string])[],
  name: string,
): readonly string[] =>
  headers.filter(([key]) => key.toLowerCase() === name).map(([, value]) => value)
