/**
 * Keeps out regular expressions that a text could make run for hours, wherever a file brings one: contracts, leak
 * patterns, data classes. Finds nested unbounded repeats; what is left is at worst quadratic, so callers also cap the text.
 */

/** True for a pattern in which an unbounded repeat holds another, such as `(a+)+`. */
export const mayBacktrackForever = (pattern: string): boolean => {
  const groups: boolean[] = []
  let inClass = false
  let closed = false
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern[at]!
    if (character === '\\') {
      at++
      closed = false
      continue
    }
    if (inClass) {
      inClass = character !== ']'
      closed = false
      continue
    }
    const unbounded =
      character === '*' ||
      character === '+' ||
      (character === '{' && /^\{\d+,\}/.test(pattern.slice(at)))
    if (unbounded && closed) return true
    if (unbounded && groups.length > 0) groups[groups.length - 1] = true
    closed = false
    if (character === '[') inClass = true
    if (character === '(') groups.push(false)
    if (character === ')') {
      const repeats = groups.pop() ?? false
      closed = repeats
      if (repeats && groups.length > 0) groups[groups.length - 1] = true
    }
  }
  return false
}

/** A sentence that says why `pattern` cannot be used, or undefined when it can. */
export const patternFault = (pattern: string): string | undefined => {
  if (pattern === '') return 'it is empty'
  if (mayBacktrackForever(pattern)) return 'it repeats a repeat and may never end'
  try {
    return void new RegExp(pattern, 'u')
  } catch {
    return 'it is not a regular expression'
  }
}
