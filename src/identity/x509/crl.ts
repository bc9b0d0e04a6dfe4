/**
 * Certificate revocation lists (RFC 5280 §5) from files, and the question whether a certificate is on one.
 *
 * A configured list that is missing, stale or not signed by the authority it speaks for says nothing, and then nobody
 * is let in: that is what being configured means. Delta lists, partitioned lists and indirect lists are refused.
 */
import type { Certificate } from '../certificate.ts'
import { IdentityError } from '../identity-error.ts'
import {
  DerError,
  DerReader,
  boolean,
  integerBytes,
  objectId,
  readAll,
  readOnly,
  smallInteger,
  tag,
  time,
  wholeBytes,
} from './der.ts'
import { oid } from './oids.ts'
import { publicKeyOf } from './path.ts'
import { readPemBlocks } from './pem.ts'
import { isSignedBy, readAlgorithm } from './signature.ts'
import type { Algorithm } from './signature.ts'

/** One list as it stands in a file; its signature is checked when the key of its issuer is known. */
export interface RevocationList {
  readonly file: string
  /** DER of the issuer's name. */
  readonly issuer: Buffer
  readonly thisUpdate: number
  readonly nextUpdate: number
  /** Serial numbers in lower-case hex without leading zeros. */
  readonly revoked: ReadonlySet<string>
  readonly signed: Buffer
  readonly signature: Buffer
  readonly algorithm: Algorithm
}

/** The configured lists at one moment. */
export interface RevocationLists {
  readonly lists: readonly RevocationList[]
  /** Configured files that say nothing, with the reason. Any of them refuses everybody. */
  readonly unusable: readonly { readonly file: string; readonly reason: string }[]
  /** A list whose thisUpdate is further back is stale, whatever its nextUpdate says. */
  readonly maxAgeMs: number
  /** Whether every leaf needs a list of its issuer (the default), or lists speak only for the issuers they are of. */
  readonly coverage?: 'every-leaf' | 'as-listed'
}

const maxListBytes = 8 * 1024 * 1024
const maxEntries = 250_000

/** Entry and list extensions that change nothing for a complete list. */
const harmless: ReadonlySet<string> = new Set([
  oid.reasonCode,
  oid.invalidityDate,
  oid.crlNumber,
  oid.authorityKeyIdentifier,
])

const checkExtensions = (der: Buffer): void => {
  for (const entry of readAll(readOnly(der, tag.sequence), tag.sequence, 64)) {
    const reader = new DerReader(entry.content)
    const id = objectId(reader.next(tag.oid).content)
    const flag = reader.optional(tag.boolean)
    reader.next(tag.octetString)
    reader.finish()
    if (flag && boolean(flag.content) && !harmless.has(id))
      throw new DerError(`the critical extension ${id} is not understood`)
  }
}

const hex = (content: Buffer): string =>
  integerBytes(content)
    .toString('hex')
    .replace(/^(00)+(?=..)/, '')
    .replace(/^0(?=.)/, '')

const readEntries = (content: Buffer): ReadonlySet<string> => {
  const revoked = new Set<string>()
  for (const entry of readAll(new DerReader(content), tag.sequence, maxEntries)) {
    const reader = new DerReader(entry.content)
    revoked.add(hex(reader.next(tag.integer).content))
    // When it was revoked is of no use here, and reading it would be half of the work of a long list.
    const date = reader.next()
    if (date.tag !== tag.utcTime && date.tag !== tag.generalizedTime)
      throw new DerError('an entry has no date')
    const extensions = reader.optional(tag.sequence)
    if (extensions) checkExtensions(extensions.whole)
    reader.finish()
  }
  return revoked
}

const parse = (der: Buffer, file: string): RevocationList => {
  const outer = readOnly(der, tag.sequence)
  const signed = outer.next(tag.sequence)
  const algorithm = readAlgorithm(outer.next(tag.sequence).whole)
  const signature = wholeBytes(outer.next(tag.bitString).content)
  outer.finish()
  const reader = new DerReader(signed.content)
  const version = reader.optional(tag.integer)
  if (version && smallInteger(version.content) !== 1) throw new DerError('the version is not 2')
  if (!reader.next(tag.sequence).whole.equals(algorithm.der))
    throw new DerError('it names two different signature algorithms')
  const issuer = reader.next(tag.sequence).whole
  const thisUpdate = time(reader.next())
  const timed = reader.peek() === tag.utcTime || reader.peek() === tag.generalizedTime
  if (!timed) throw new DerError('it has no nextUpdate')
  const nextUpdate = time(reader.next())
  const entries = reader.optional(tag.sequence)
  const extensions = reader.optional(0xa0)
  reader.finish()
  if (extensions) checkExtensions(extensions.content)
  return {
    file,
    issuer,
    thisUpdate,
    nextUpdate,
    revoked: entries ? readEntries(entries.content) : new Set(),
    signed: signed.whole,
    signature,
    algorithm,
  }
}

/**
 * Reads the lists of one file, PEM or DER.
 *
 * @throws IdentityError `malformed` or `too-large`
 */
export const readRevocationLists = (content: Buffer, file: string): readonly RevocationList[] => {
  if (content.length > maxListBytes)
    throw new IdentityError('too-large', `the crl is larger than ${maxListBytes} bytes`)
  try {
    const ders =
      content[0] === tag.sequence
        ? [content]
        : readPemBlocks(content.toString('latin1'), ['X509 CRL']).map((block) => block.der)
    if (ders.length === 0) throw new DerError('there is no crl in it')
    return ders.map((der) => parse(der, file))
  } catch (error) {
    if (!(error instanceof DerError)) throw error
    throw new IdentityError('malformed', `the crl is malformed: ${error.message}`)
  }
}

const verified = new WeakMap<RevocationList, Map<string, boolean>>()

const isBy = (list: RevocationList, issuer: Certificate): boolean => {
  const known = verified.get(list) ?? new Map<string, boolean>()
  verified.set(list, known)
  const answer = known.get(issuer.thumbprint)
  if (answer !== undefined) return answer
  const maySign = !issuer.keyUsage || issuer.keyUsage.has('cRLSign')
  const made =
    maySign && isSignedBy(publicKeyOf(issuer), list.algorithm, list.signed, list.signature)
  if (known.size < 100) known.set(issuer.thumbprint, made)
  return made
}

/**
 * Asks whether an authority revoked a certificate that it issued.
 *
 * @param need `required` refuses when no list of that authority is configured; `if-listed` does not
 * @returns the moment after which the answer must be asked for again, in milliseconds since 1970
 * @throws IdentityError `revoked` or `revocation-unknown`
 */
export const checkRevocation = (
  lists: RevocationLists,
  certificate: Certificate,
  issuer: Certificate,
  now: number,
  need: 'required' | 'if-listed',
): number => {
  const broken = lists.unusable[0]
  if (broken)
    throw new IdentityError(
      'revocation-unknown',
      `the crl ${broken.file} is not usable: ${broken.reason}`,
    )
  const named = lists.lists.filter((list) => list.issuer.equals(certificate.issuer))
  const signed = named.filter((list) => isBy(list, issuer))
  if (signed.some((list) => list.revoked.has(certificate.serial)))
    throw new IdentityError(
      'revoked',
      `the certificate with serial ${certificate.serial} is revoked`,
    )
  const untils = signed
    .filter((list) => list.thisUpdate <= now)
    .map((list) => Math.min(list.nextUpdate, list.thisUpdate + lists.maxAgeMs))
  const until = Math.max(...untils, Number.NEGATIVE_INFINITY)
  if (until >= now) return until
  if (named.length === 0 && (need === 'if-listed' || lists.coverage === 'as-listed'))
    return Number.POSITIVE_INFINITY
  const why =
    signed.length > 0 ? 'is stale' : named.length > 0 ? 'is not signed by it' : 'is not configured'
  throw new IdentityError('revocation-unknown', `the crl of the issuing authority ${why}`)
}
