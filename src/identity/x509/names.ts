/**
 * GeneralNames and distinguished names as they stand in a certificate (RFC 5280 §4.2.1.6), and their text for people.
 *
 * Reads and bounds; whether a name may be believed is decided elsewhere.
 */
import { IdentityError } from '../identity-error.ts'
import { DerError, DerReader, ia5Text, objectId, readAll, readOnly, tag } from './der.ts'

/** One GeneralName. `uri`, `dns` and `email` are text; `ip` is 4 or 16 bytes (8 or 32 inside a constraint). */
export type GeneralName =
  | { readonly kind: 'uri' | 'dns' | 'email'; readonly text: string }
  | { readonly kind: 'ip'; readonly bytes: Buffer }
  /** DER of the Name. */
  | { readonly kind: 'directory'; readonly name: Buffer }
  /** otherName, x400Address, ediPartyName or registeredID, by its context tag. */
  | { readonly kind: 'unsupported'; readonly tag: number }

/** The most names that are read from one certificate; large web servers carry several hundred. */
export const maxNames = 1_000

const unsupportedTags: ReadonlySet<number> = new Set([0xa0, 0xa3, 0xa5, 0x88])

/** Reads one GeneralName from its tag and content. */
export const readGeneralName = (value: {
  readonly tag: number
  readonly content: Buffer
}): GeneralName => {
  const { content } = value
  if (value.tag === 0x86) return { kind: 'uri', text: ia5Text(content) }
  if (value.tag === 0x82) return { kind: 'dns', text: ia5Text(content) }
  if (value.tag === 0x81) return { kind: 'email', text: ia5Text(content) }
  if (value.tag === 0x87) return { kind: 'ip', bytes: content }
  if (value.tag === 0xa4) {
    const reader = new DerReader(content)
    const name = reader.next(tag.sequence).whole
    reader.finish()
    readRelativeNames(name)
    return { kind: 'directory', name }
  }
  if (unsupportedTags.has(value.tag)) return { kind: 'unsupported', tag: value.tag }
  throw new DerError('a general name has an unknown form')
}

/** Reads the value of a subjectAltName extension: at least one name, at most {@link maxNames}. */
export const readGeneralNames = (der: Buffer): readonly GeneralName[] => {
  const reader = readOnly(der, tag.sequence)
  if (reader.atEnd) throw new DerError('a subject alternative name is empty')
  const names: GeneralName[] = []
  while (!reader.atEnd) {
    if (names.length === maxNames)
      throw new IdentityError('too-large', `a certificate has more than ${maxNames} names`)
    names.push(readGeneralName(reader.next()))
  }
  for (const name of names)
    if (name.kind === 'ip' && name.bytes.length !== 4 && name.bytes.length !== 16)
      throw new DerError('an ip address has a wrong length')
  return names
}

interface Attribute {
  readonly type: string
  readonly valueTag: number
  readonly value: Buffer
}

/** The relative names of a Name, each a list of attributes. */
export const readRelativeNames = (der: Buffer): readonly (readonly Attribute[])[] =>
  readAll(readOnly(der, tag.sequence), tag.set, 64).map((relative) => {
    const attributes = readAll(new DerReader(relative.content), tag.sequence, 16).map((pair) => {
      const reader = new DerReader(pair.content)
      const type = objectId(reader.next(tag.oid).content)
      const value = reader.next()
      reader.finish()
      return { type, valueTag: value.tag, value: value.content }
    })
    if (attributes.length === 0) throw new DerError('a relative name is empty')
    return attributes
  })

const textTags: ReadonlySet<number> = new Set([
  tag.utf8String,
  tag.printableString,
  tag.ia5String,
  tag.teletexString,
])

const attributeText = (attribute: Attribute): string =>
  textTags.has(attribute.valueTag)
    ? attribute.value.toString('utf8')
    : `#${attribute.value.toString('hex')}`

const folded = (attribute: Attribute): string =>
  `${attribute.type}=${attributeText(attribute).trim().replaceAll(/ +/g, ' ').toLowerCase()}`

/** Each relative name in a form in which equal names are equal text (RFC 5280 §7.1, without Unicode preparation). */
export const foldedNames = (der: Buffer): readonly string[] =>
  readRelativeNames(der).map((attributes) => attributes.map(folded).sort().join('+'))

const shortNames: Readonly<Record<string, string>> = {
  '2.5.4.3': 'CN',
  '2.5.4.5': 'serialNumber',
  '2.5.4.6': 'C',
  '2.5.4.7': 'L',
  '2.5.4.8': 'ST',
  '2.5.4.10': 'O',
  '2.5.4.11': 'OU',
  '2.5.4.45': 'x500UniqueIdentifier',
}

const escaped = (text: string): string =>
  text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, '?').replaceAll(/[,+"\\<>;=]/g, String.raw`\$&`)

/** A Name in the spirit of RFC 4514, most specific part first, for people and headers. Control characters become `?`. */
export const nameText = (der: Buffer): string =>
  readRelativeNames(der)
    .map((attributes) =>
      attributes
        .map((one) => `${shortNames[one.type] ?? one.type}=${escaped(attributeText(one))}`)
        .join('+'),
    )
    .reverse()
    .join(',')
