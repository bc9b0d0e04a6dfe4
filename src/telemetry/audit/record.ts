/**
 * One decision, as it is remembered: the shape that the audit file, the decision log and the admin page share.
 *
 * Filled by the observers of an exchange from its outcome. Holds names and codes, never a body, a header value, a
 * query or a token.
 */

/** Where a rule stands in a policy file; rows and columns count from one. */
export interface RuleLocation {
  readonly name?: string | undefined
  readonly file: string
  readonly row: number
  readonly column?: number | undefined
}

/** One decision on one request. */
export interface Decision {
  /** The decision id: a UUID that is also on the span, in the log and in the answer. */
  readonly id: string
  /** Milliseconds since the epoch. */
  readonly time: number
  readonly line: 'inbound' | 'outbound' | 'egress'
  /** `would-deny`: a rule in shadow said no and the request passed. */
  readonly decision: 'allow' | 'deny' | 'would-deny'
  /** SPIFFE ID at the other end of the connection; undefined for the app beside us or a stranger. */
  readonly peer?: string | undefined
  /** SPIFFE ID of the workload on whose request this happens. */
  readonly caller?: string | undefined
  /** Pseudonym of the end user (HMAC), never the subject. */
  readonly user?: string | undefined
  /** The route's or the mesh service's name. */
  readonly route?: string | undefined
  /** The third-party API's name. */
  readonly api?: string | undefined
  readonly operation?: string | undefined
  readonly owner?: string | undefined
  readonly purpose?: string | undefined
  readonly credential?: string | undefined
  /** The host that was asked for, on egress. */
  readonly host?: string | undefined
  readonly method?: string | undefined
  /** Path template, never the path. */
  readonly template?: string | undefined
  readonly status?: number | undefined
  /** Refusal code, `family.reason`. */
  readonly code?: string | undefined
  /** The stage that decided. */
  readonly stage?: string | undefined
  readonly rule?: RuleLocation | undefined
  /** Revision of the policy bundle that decided. */
  readonly revision?: string | undefined
  readonly mode: 'enforce' | 'shadow' | 'observe'
  readonly traceId?: string | undefined
  readonly spanId?: string | undefined
  readonly durationMs: number
}
