/**
 * The hash that ties a hop token to the user's token beside it: base64url SHA-256 of the text after `Bearer`.
 *
 * Both ends of a hop compute it from the same header in the same way, whether or not the token is acceptable. Recent
 * results are kept, because the same token comes with many requests.
 */
import { hash } from 'node:crypto'
import type { HeaderList } from '../wire/headers.ts'

const most = 1_024
const recent = new Map<string, string>()

/** The hash for the `authorization` header of a request, or undefined when it carries no bearer token. */
export const userTokenHash = (headers: HeaderList): string | undefined => {
  const value = headers.get('authorization')
  if (value === undefined || !/^bearer /i.test(value)) return undefined
  const known = recent.get(value)
  if (known !== undefined) return known
  const made = hash('sha256', value.slice(7).trim(), 'base64url')
  if (recent.size >= most) recent.clear()
  recent.set(value, made)
  return made
}
