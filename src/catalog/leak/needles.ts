/**
 * The forms in which a key may hide: as it is, in base64 at any alignment, in hex, or in part.
 *
 * For the leak guard. Escapes are undone in the text that is searched (`haystack.ts`), so they need no form here. Keys
 * shorter than {@link shortestKey} are not looked for: they would be found in honest text.
 */
import type { Secret } from '../../secret.ts'

/** How a key was found. */
export type LeakForm = 'raw' | 'base64' | 'hex' | 'part'

/** One text to look for. */
export interface Needle {
  readonly text: string
  readonly form: LeakForm
}

/** Keys below this length are not searched for. */
export const shortestKey = 8

/** A part of a key must be this long to count. */
const shortestPart = 10

/** The texts that reveal `key`. */
export const needlesOf = (key: Secret): readonly Needle[] => {
  const text = key.reveal()
  if (text.length < shortestKey) return []
  const bytes = Buffer.from(text)
  const found: Needle[] = [{ text, form: 'raw' }]
  for (const offset of [0, 1, 2]) {
    const encoded = base64At(bytes, offset)
    if (encoded.length < shortestKey) continue
    found.push({ text: encoded, form: 'base64' })
    const urlSafe = encoded.replaceAll('+', '-').replaceAll('/', '_')
    if (urlSafe !== encoded) found.push({ text: urlSafe, form: 'base64' })
  }
  const hex = bytes.toString('hex')
  found.push({ text: hex, form: 'hex' }, { text: hex.toUpperCase(), form: 'hex' })
  for (const part of partsOf(text)) found.push({ text: part, form: 'part' })
  return found
}

/** The characters of base64 that the bytes alone decide, when `offset` unknown bytes stand before them. */
const base64At = (bytes: Buffer, offset: number): string => {
  const padded = Buffer.concat([Buffer.alloc(offset), bytes])
  return padded
    .toString('base64')
    .slice(Math.ceil((offset * 8) / 6), Math.floor((padded.length * 8) / 6))
}

/**
 * Pieces of which every half of the key holds at least one. What comes before the secret part (`sk_live_`) is public and
 * left out, so that another key of the same vendor is not taken for this one.
 */
const partsOf = (text: string): readonly string[] => {
  const secret = text.slice(/^([A-Za-z]+[_-])+/.exec(text)?.[0].length ?? 0)
  if (secret.length < shortestPart * 2) return []
  const size = Math.max(shortestPart, Math.floor(secret.length / 4))
  const step = Math.max(1, Math.ceil(secret.length / 2) - size + 1)
  const parts: string[] = []
  for (let at = 0; at + size <= secret.length; at += step) parts.push(secret.slice(at, at + size))
  parts.push(secret.slice(-size))
  return [...new Set(parts)]
}

/** Letters and digits only: how a text looks when it was cut by spaces, quotes, commas or header names. */
export const squash = (text: string): string => text.replaceAll(/[^A-Za-z0-9]/g, '')

/** The shortest squashed text that may be looked for: without its punctuation a short key is any word. */
export const shortestSquashed = 12
