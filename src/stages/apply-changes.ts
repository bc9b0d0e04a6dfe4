/** Applies what the policy asked for to the headers and the query of a request that it allowed. */
import type { HeaderList } from '../wire/headers.ts'
import type { Target } from '../wire/target.ts'
import type { Changes } from './policy-answer.ts'
import { isForged } from './strip-headers.ts'

/** Names that a policy may not set or remove: they are framing, or ours. */
const reserved = (name: string): boolean =>
  name === 'host' || name === 'content-length' || name === 'transfer-encoding' || isForged(name)

/** Sets and removes headers in place. Reserved names are left alone. */
export const changeHeaders = (headers: HeaderList, changes: Changes): void => {
  for (const name of changes.removeHeaders) {
    if (!reserved(name.toLowerCase())) headers.delete(name.toLowerCase())
  }
  const seen = new Set<string>()
  for (const [name, value] of changes.setHeaders) {
    if (reserved(name)) continue
    if (seen.has(name)) headers.add(name, value)
    else headers.set(name, value)
    seen.add(name)
  }
}

/** The request target to send: path and query, with the parameters that the policy removes or sets. */
export const changedTarget = (target: Target, changes: Changes): string => {
  if (changes.removeQuery.length === 0 && changes.setQuery.length === 0) {
    return target.hasQuery ? `${target.path}?${target.query}` : target.path
  }
  const gone = new Set([...changes.removeQuery, ...changes.setQuery.map(([name]) => name)])
  const kept = target.query.split('&').filter((pair) => pair !== '' && !gone.has(nameOf(pair)))
  const added = changes.setQuery.map(
    ([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`,
  )
  const query = [...kept, ...added].join('&')
  return query === '' ? target.path : `${target.path}?${query}`
}

const nameOf = (pair: string): string => {
  const name = pair.split('=', 1)[0]!.replaceAll('+', ' ')
  try {
    return decodeURIComponent(name)
  } catch {
    return name
  }
}
