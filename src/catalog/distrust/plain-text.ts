/**
 * Fields that an entry tags as plain text: markup in them is refused or HTML-escaped.
 *
 * Works on parsed values; `json-text.ts` parses and writes them without changing numbers. Looks for what a browser would
 * take as markup, not for what is malicious: text that a person wrote has no tags, entities or script URLs.
 */

/** A tag, a comment, a processing instruction, a character reference, or a URL that runs script. */
const markup =
  /<[a-z!/?]|&(#\d+|#x[0-9a-f]+|[a-z][a-z0-9]+);|^[\s\p{Cc}]*((javascript|vbscript)[\s\p{Cc}]*:|data:[a-z]+\/)/iu

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** True when `text` carries markup. */
export const hasMarkup = (text: string): boolean => markup.test(text)

/** A scheme that runs what follows it. */
const scriptScheme = /^([\s\p{Cc}]*(?:javascript|vbscript|data)[\s\p{Cc}]*):/iu

/** `text` with the five characters of HTML replaced (OWASP output encoding), and the colon of a script scheme. */
export const escapeMarkup = (text: string): string =>
  text
    .replaceAll(/[&<>"']/g, (character) => entities[character]!)
    .replace(scriptScheme, (_, scheme: string) => `${scheme}&#58;`)

/** What was found. */
export interface PlainTextResult {
  /** Pointers of fields with markup, as declared (with `*`), each once. */
  readonly found: readonly string[]
  /** The value with escaped fields; the same object when nothing was found. */
  readonly value: unknown
}

/**
 * Finds markup in the fields that `pointers` name, and escapes it in a copy.
 *
 * @param pointers JSON pointers; a segment `*` stands for every member or item, `**` at the end for every text below
 */
export const checkPlainText = (value: unknown, pointers: readonly string[]): PlainTextResult => {
  const found: string[] = []
  let result = value
  for (const pointer of pointers) {
    const segments =
      pointer === ''
        ? []
        : pointer
            .slice(1)
            .split('/')
            .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    const next = escapeAt(result, segments, 0)
    if (next !== result) found.push(pointer)
    result = next
  }
  return { found, value: result }
}

const escapeAt = (value: unknown, segments: readonly string[], at: number): unknown => {
  const segment = segments[at]
  if (segment === undefined || (segment === '**' && typeof value === 'string')) {
    return typeof value === 'string' && hasMarkup(value) ? escapeMarkup(value) : value
  }
  if (typeof value !== 'object' || value === null) return value
  const below = segment === '**' ? at : at + 1
  if (Array.isArray(value)) {
    const items = value.map((item, index) =>
      matches(segment, String(index)) ? escapeAt(item, segments, below) : item,
    )
    return items.some((item, index) => item !== value[index]) ? items : value
  }
  const entries = Object.entries(value)
  const changed = entries.map(
    ([key, member]) =>
      [key, matches(segment, key) ? escapeAt(member, segments, below) : member] as const,
  )
  return changed.some(([, member], index) => member !== entries[index]![1])
    ? Object.fromEntries(changed)
    : value
}

const matches = (segment: string, key: string): boolean =>
  segment === '*' || segment === '**' || segment === key
