/**
 * The hash that ties a hop token to the user's token beside it, of the text after `Bearer` in `Authorization`.
 *
 * Both ends of a hop compute it from the same header in the same way, whether or not the token is acceptable and
 * whatever providers each end knows. A token in a header of its own is verified like any other and is not tied.
 */
import { tokenHash } from '../token/token-hash.ts'
import type { HeaderList } from '../wire/headers.ts'

/** The hash for the `authorization` header of a request, or undefined when it carries no bearer token. */
export const userTokenHash = (headers: HeaderList): string | undefined => {
  const value = headers.get('authorization')
  return value === undefined || !/^bearer /i.test(value)
    ? undefined
    : tokenHash(value.slice(7).trim())
}
