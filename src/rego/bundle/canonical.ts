/**
 * The canonical form of a JSON document that signatures of bundles are over: no spaces, keys in the order of their
 * UTF-8 bytes, numbers as they were written, strings as Go's encoder writes them without HTML escapes.
 */

/** A number with its text; what JSON.parse gives would lose digits. */
class WrittenNumber {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

interface SourceContext {
  readonly source?: string
}

/** The canonical form of JSON text; throws SyntaxError when it is no JSON. */
export function canonicalJson(json: string): string {
  const keep = (_key: string, value: unknown, context?: SourceContext): unknown =>
    typeof value === 'number' ? new WrittenNumber(context?.source ?? String(value)) : value
  return canonical(JSON.parse(json, keep))
}

function canonical(value: unknown): string {
  if (value instanceof WrittenNumber) return value.text
  if (typeof value === 'string') return quoted(value)
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (typeof value !== 'object' || value === null) return String(value)
  const members = Object.entries(value)
    .sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    .map(([key, member]) => `${quoted(key)}:${canonical(member)}`)
  return `{${members.join(',')}}`
}

/** Go escapes the line separators of JavaScript and has no half surrogates. */
function quoted(text: string): string {
  return JSON.stringify(text.toWellFormed())
    .replaceAll('\u2028', '\\u2028')
    .replaceAll('\u2029', '\\u2029')
}
