/**
 * Name constraints of authorities (RFC 5280 §4.2.1.10): which names may stand in the certificates below them.
 *
 * DNS, URI, e-mail, IP and directory names are checked. A constraint of another form cannot be checked, so it refuses
 * every certificate below: a limit that is not understood is not a limit that may be ignored.
 */
import { IdentityError } from '../identity-error.ts'
import { DerError, DerReader, readOnly, tag } from './der.ts'
import { foldedNames, readGeneralName } from './names.ts'
import type { GeneralName } from './names.ts'

/** The subtrees of one authority. */
export interface NameConstraints {
  readonly permitted: readonly GeneralName[]
  readonly excluded: readonly GeneralName[]
}

const maxSubtrees = 256

const readSubtrees = (content: Buffer): readonly GeneralName[] => {
  const reader = new DerReader(content)
  if (reader.atEnd) throw new DerError('a list of name constraints is empty')
  const names: GeneralName[] = []
  while (!reader.atEnd) {
    if (names.length === maxSubtrees)
      throw new IdentityError(
        'too-large',
        `an authority has more than ${maxSubtrees} name constraints`,
      )
    const subtree = new DerReader(reader.next(tag.sequence).content)
    const name = readGeneralName(subtree.next())
    // RFC 5280: minimum is always zero, which DER leaves out, and maximum is absent.
    subtree.finish()
    checkForm(name)
    names.push(name)
  }
  return names
}

const contiguous = (mask: Buffer): boolean =>
  /^1*0*$/.test([...mask].map((byte) => byte.toString(2).padStart(8, '0')).join(''))

/** A DNS name in a certificate, with a wildcard label at most in front. */
const namePattern = /^(\*\.)?([A-Za-z0-9_-]+\.)*[A-Za-z0-9_-]+$/
const hostPattern = /^\.?([A-Za-z0-9_-]+\.)*[A-Za-z0-9_-]+$/

const checkForm = (name: GeneralName): void => {
  if (name.kind === 'ip') {
    const half = name.bytes.length / 2
    if ((half !== 4 && half !== 16) || !contiguous(name.bytes.subarray(half)))
      throw new DerError('an ip constraint is malformed')
  }
  if (
    (name.kind === 'dns' || name.kind === 'uri') &&
    name.text !== '' &&
    !hostPattern.test(name.text)
  )
    throw new DerError('a name constraint is not a host name')
}

/** Reads the value of a nameConstraints extension. */
export const readNameConstraints = (der: Buffer): NameConstraints => {
  const reader = readOnly(der, tag.sequence)
  const permitted = reader.optional(0xa0)
  const excluded = reader.optional(0xa1)
  reader.finish()
  if (!permitted && !excluded) throw new DerError('name constraints are empty')
  return {
    permitted: permitted ? readSubtrees(permitted.content) : [],
    excluded: excluded ? readSubtrees(excluded.content) : [],
  }
}

const below = (host: string, domain: string): boolean =>
  host === domain || host.endsWith(`.${domain}`)

const dnsMatches = (name: string, constraint: string): boolean => {
  const host = name.toLowerCase()
  const limit = constraint.toLowerCase()
  if (limit === '') return true
  return limit.startsWith('.') ? host.endsWith(limit) : below(host, limit)
}

/** RFC 5280: a URI constraint with a leading dot is for hosts below it, without one for exactly that host. */
const uriMatches = (uri: string, constraint: string): boolean => {
  const authority = /^[a-z][a-z0-9+.-]*:\/\/(?:[^/?#@]*@)?([^/?#:[\]]+)(?::\d*)?(?:[/?#]|$)/i.exec(
    uri,
  )?.[1]
  if (authority === undefined || /^\d+(\.\d+){3}$/.test(authority))
    throw new IdentityError(
      'name-constraint',
      'a uri without a host name stands below a uri constraint',
    )
  const host = authority.toLowerCase()
  const limit = constraint.toLowerCase()
  return limit.startsWith('.') ? host.endsWith(limit) : limit === '' || host === limit
}

const emailMatches = (email: string, constraint: string): boolean => {
  const host = email.slice(email.lastIndexOf('@') + 1).toLowerCase()
  if (constraint.includes('@')) return email === constraint
  const limit = constraint.toLowerCase()
  return limit.startsWith('.') ? host.endsWith(limit) : host === limit
}

const ipMatches = (address: Buffer, constraint: Buffer): boolean => {
  const half = constraint.length / 2
  if (address.length !== half) return false
  return address.every((byte, index) => {
    const mask = constraint[half + index]!
    return (byte & mask) === (constraint[index]! & mask)
  })
}

const directoryMatches = (name: Buffer, constraint: Buffer): boolean => {
  const parts = foldedNames(name)
  return foldedNames(constraint).every((part, index) => parts[index] === part)
}

const matches = (name: GeneralName, constraint: GeneralName): boolean => {
  if (name.kind === 'dns' && constraint.kind === 'dns')
    return dnsMatches(name.text, constraint.text)
  if (name.kind === 'uri' && constraint.kind === 'uri')
    return uriMatches(name.text, constraint.text)
  if (name.kind === 'email' && constraint.kind === 'email')
    return emailMatches(name.text, constraint.text)
  if (name.kind === 'ip' && constraint.kind === 'ip') return ipMatches(name.bytes, constraint.bytes)
  if (name.kind === 'directory' && constraint.kind === 'directory')
    return directoryMatches(name.name, constraint.name)
  return false
}

/** A wildcard stands for names on both sides of an excluded subtree, so `*.example.com` meets `foo.example.com`. */
const wildcardMeets = (name: GeneralName, constraint: GeneralName): boolean =>
  name.kind === 'dns' &&
  constraint.kind === 'dns' &&
  name.text.startsWith('*.') &&
  below(constraint.text.toLowerCase().replace(/^\./, ''), name.text.slice(2).toLowerCase())

const shown = (name: GeneralName): string =>
  'text' in name ? JSON.stringify(name.text.slice(0, 80)) : `a ${name.kind} name`

/** Counts the comparisons of one path, so that names times constraints cannot be made to cost without bound. */
export interface Budget {
  left: number
}

/**
 * Checks all names of a certificate against the constraints of one authority above it.
 *
 * @throws IdentityError `name-constraint` when a name is excluded, not permitted, or cannot be checked
 */
export const checkNames = (
  names: readonly GeneralName[],
  constraints: NameConstraints,
  budget: Budget,
): void => {
  const { permitted, excluded } = constraints
  budget.left -= names.length * (permitted.length + excluded.length)
  if (budget.left < 0)
    throw new IdentityError('too-large', 'there are too many names and name constraints to compare')
  if ([...permitted, ...excluded].some((constraint) => constraint.kind === 'unsupported'))
    throw new IdentityError(
      'name-constraint',
      'an authority has a name constraint that cannot be checked',
    )
  const limitsDns = [...permitted, ...excluded].some((constraint) => constraint.kind === 'dns')
  for (const name of names) {
    if (limitsDns && name.kind === 'dns' && !namePattern.test(name.text))
      throw new IdentityError(
        'name-constraint',
        `${shown(name)} is not a dns name that can be compared`,
      )
    if (excluded.some((constraint) => matches(name, constraint) || wildcardMeets(name, constraint)))
      throw new IdentityError('name-constraint', `${shown(name)} is excluded by an authority`)
    const sameKind = permitted.filter((constraint) => constraint.kind === name.kind)
    if (sameKind.length > 0 && !sameKind.some((constraint) => matches(name, constraint)))
      throw new IdentityError('name-constraint', `${shown(name)} is not permitted by an authority`)
  }
}
