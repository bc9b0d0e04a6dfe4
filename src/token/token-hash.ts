/**
 * The SHA-256 of a token, base64url: the key under which verdicts are remembered, and the `ath` of a hop token.
 *
 * The same token comes with many requests, so recent results are kept; hashing is most of what a remembered verdict
 * costs. Holds tokens in memory for as long as they are recent, and shows them to nobody.
 */
import { hash } from 'node:crypto'

const most = 2_048
let young = new Map<string, string>()
let old = new Map<string, string>()

/** The hash of the token's text. */
export const tokenHash = (token: string): string => {
  const known = young.get(token) ?? old.get(token)
  if (known !== undefined) return known
  const made = hash('sha256', token, 'base64url')
  if (young.size >= most / 2) {
    old = young
    young = new Map()
  }
  young.set(token, made)
  return made
}
