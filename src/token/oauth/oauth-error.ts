/**
 * Why there is no access token. The detail is fit for a log and for the app beside us: it holds the registered error
 * word of the server at most, never its description, which may quote what was sent.
 */

/**
 * `key`: our own key is missing or of the wrong kind; `refused`: the server said no; `unavailable`: it could not be
 * asked, or is overloaded; `answer`: it answered something that is no token.
 */
export type OAuthErrorCode = 'key' | 'refused' | 'unavailable' | 'answer'

/** No access token, and why. */
export class OAuthError extends Error {
  override readonly name = 'OAuthError'
  readonly code: OAuthErrorCode
  readonly detail: string
  /** How long to wait before asking again can help, in milliseconds. */
  readonly retryAfterMs: number | undefined

  constructor(code: OAuthErrorCode, detail: string, retryAfterMs?: number) {
    super(`oauth.${code}: ${detail}`)
    this.code = code
    this.detail = detail
    this.retryAfterMs = retryAfterMs
  }
}
