/**
 * What a request asks for, in one canonical form that routing, policy, forwarding and audit all read.
 *
 * The path is the exact text that is forwarded; nothing is decoded twice and nothing is silently repaired. What two
 * readers could understand differently is refused. Whether the authority may be talked to is not decided here.
 */

/** The four forms of RFC 9112 §3.2, after normalisation: absolute-form is kept only to know that it was used. */
export type TargetForm = 'origin' | 'absolute' | 'authority' | 'asterisk'

export interface Target {
  readonly form: TargetForm
  /** The scheme of an absolute-form target, else that of the listener. */
  readonly scheme: 'http' | 'https'
  /** `host` or `host:port`: lower case, no trailing dot, no default port of the scheme. Always with port for CONNECT. */
  readonly authority: string
  /** The authority's host: a lower-case name, dotted IPv4, or IPv6 without brackets. */
  readonly host: string
  /** The port, the scheme's default filled in. */
  readonly port: number
  /** The path as forwarded, percent-encoding untouched; `*` for asterisk-form, empty for authority-form. */
  readonly path: string
  /** What follows the first `?`, without it; empty when there is none. */
  readonly query: string
  /** Whether a `?` was there, so that `/a?` and `/a` are forwarded as they came. */
  readonly hasQuery: boolean
  /** The path split at `/` and percent-decoded once; `/a/b` gives `['a', 'b']`, `/` gives `['']`. */
  readonly segments: readonly string[]
}
