/** `$ref` within one schema document: JSON pointers after `#`, and the identifiers that subschemas give themselves. */
import { isArray, isObject, objectEntries, objectGet, type Value } from '../../values.ts'

const searchLimit = 100_000

/** The schema that a reference names, or undefined when it is not in this document. */
export function resolvePointer(root: Value, reference: string): Value | undefined {
  const hash = reference.indexOf('#')
  const base = hash < 0 ? reference : reference.slice(0, hash)
  const fragment = hash < 0 ? '' : reference.slice(hash + 1)
  const document =
    base === ''
      ? root
      : withId(root, (id) => id.replace(/#$/, '') === base || id.endsWith(`/${base}`))
  if (document === undefined) return undefined
  if (fragment === '') return document
  if (!fragment.startsWith('/'))
    return withId(document, (id) => id === `#${fragment}` || id.endsWith(`#${fragment}`))
  let current: Value | undefined = document
  for (const part of fragment.slice(1).split('/')) {
    const key = unescaped(part)
    if (isArray(current)) current = /^\d+$/.test(key) ? current[Number(key)] : undefined
    else current = isObject(current) ? objectGet(current, key) : undefined
    if (current === undefined) return undefined
  }
  return current
}

function unescaped(part: string): string {
  let text = part
  try {
    text = decodeURIComponent(part)
  } catch {
    // A stray percent sign stands for itself.
  }
  return text.replaceAll('~1', '/').replaceAll('~0', '~')
}

/** The schema, or one below it, whose identifier is the one sought. */
function withId(root: Value, isSought: (id: string) => boolean): Value | undefined {
  const open: Value[] = [root]
  for (let count = 0; open.length > 0 && count < searchLimit; count++) {
    const value = open.pop()!
    if (isArray(value)) open.push(...value)
    if (!isObject(value)) continue
    for (const key of ['$id', 'id']) {
      const id = objectGet(value, key)
      if (typeof id === 'string' && isSought(id)) return value
    }
    for (const entry of objectEntries(value)) open.push(entry.value)
  }
  return undefined
}
