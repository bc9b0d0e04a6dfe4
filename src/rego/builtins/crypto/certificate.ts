/**
 * X.509 certificates taken apart (RFC 5280): the fields that verification needs, and the whole as the JSON of Go's
 * x509.Certificate, whose field names policies use. Nothing is verified here.
 */
import { fromBigInt } from '../../numbers.ts'
import { RegoObject, type Value } from '../../values.ts'
import { escapeUrl, parseUrl } from '../go/url.ts'
import { ipText } from '../net/address.ts'
import {
  bitsOf,
  childrenOf,
  DerError,
  integerOf,
  need,
  oidOf,
  readAll,
  readDer,
  tags,
  timeOf,
  type DerNode,
} from './der.ts'
import {
  extensionValue,
  nameValue,
  readExtensions,
  signatureAlgorithm,
  type Extension,
} from './names.ts'
import { publicKeyValue } from './public-key.ts'

export interface Certificate {
  readonly der: Buffer
  readonly value: RegoObject
  readonly rawSubject: Buffer
  readonly rawIssuer: Buffer
  /** Milliseconds since 1970. */
  readonly notBefore: number
  readonly notAfter: number
  readonly isCa: boolean
  /** Undefined when the path length is not limited. */
  readonly maxPathLength: number | undefined
  readonly keyUsage: number
  /** Go's numbers of extended key usages; undefined when there is no such extension. */
  readonly extendedUsages: readonly number[] | undefined
  readonly signatureAlgorithm: number
  readonly hasNameConstraints: boolean
  readonly unhandledCritical: readonly (readonly number[])[]
}

/** Certificates one after another. @throws DerError */
export function readCertificates(bytes: Buffer): readonly Certificate[] {
  return readAll(bytes).map((node) => readCertificate(node))
}

function readCertificate(node: DerNode): Certificate {
  const [tbs, algorithm, signature] = childrenOf(node)
  const fields = childrenOf(need(tbs))
  const versioned = fields[0]?.tag === 0xa0
  const version = versioned ? Number(integerOf(readDer(fields.shift()!.content))) + 1 : 1
  const [serial, , issuer, validity, subject, keyInfo, ...rest] = fields
  const [notBefore, notAfter] = childrenOf(need(validity))
  const extensionsNode = rest.find((field) => field.tag === 0xa3)
  const extensions =
    extensionsNode === undefined ? [] : readExtensions(readDer(extensionsNode.content))
  const parsed = new Extensions(extensions)
  const publicKey = publicKeyValue(need(keyInfo))
  const signatureNumber = signatureAlgorithm(need(algorithm))
  const from = timeOf(need(notBefore))
  const to = timeOf(need(notAfter))
  const value = new RegoObject([
    ['Raw', base64(node.raw)],
    ['RawTBSCertificate', base64(need(tbs).raw)],
    ['RawSubjectPublicKeyInfo', base64(need(keyInfo).raw)],
    ['RawSubject', base64(need(subject).raw)],
    ['RawIssuer', base64(need(issuer).raw)],
    ['Signature', base64(bitsOf(need(signature)))],
    ['SignatureAlgorithm', signatureNumber],
    ['PublicKeyAlgorithm', publicKey.algorithm],
    ['PublicKey', publicKey.key],
    ['Version', version],
    ['SerialNumber', fromBigInt(integerOf(need(serial)))],
    ['Issuer', nameValue(need(issuer))],
    ['Subject', nameValue(need(subject))],
    ['NotBefore', timeText(from)],
    ['NotAfter', timeText(to)],
    ['Extensions', extensions.length === 0 ? null : extensions.map(extensionValue)],
    ['ExtraExtensions', null],
    ...parsed.entries(),
  ])
  return {
    der: node.raw,
    value,
    rawSubject: need(subject).raw,
    rawIssuer: need(issuer).raw,
    notBefore: from,
    notAfter: to,
    isCa: parsed.isCa,
    maxPathLength: parsed.maxPathLength,
    keyUsage: parsed.keyUsage,
    extendedUsages: parsed.extendedUsages,
    signatureAlgorithm: signatureNumber,
    hasNameConstraints: parsed.hasNameConstraints,
    unhandledCritical: parsed.unhandled,
  }
}

function base64(bytes: Buffer): string {
  return bytes.toString('base64')
}

function timeText(ms: number): string {
  return new Date(ms).toISOString().replace('.000Z', 'Z')
}

const usageNumbers = new Map([
  ['2.5.29.37.0', 0],
  ['1.3.6.1.5.5.7.3.1', 1],
  ['1.3.6.1.5.5.7.3.2', 2],
  ['1.3.6.1.5.5.7.3.3', 3],
  ['1.3.6.1.5.5.7.3.4', 4],
  ['1.3.6.1.5.5.7.3.5', 5],
  ['1.3.6.1.5.5.7.3.6', 6],
  ['1.3.6.1.5.5.7.3.7', 7],
  ['1.3.6.1.5.5.7.3.8', 8],
  ['1.3.6.1.5.5.7.3.9', 9],
  ['1.3.6.1.4.1.311.10.3.3', 10],
  ['2.16.840.1.113730.4.1', 11],
  ['1.3.6.1.4.1.311.2.1.22', 12],
  ['1.3.6.1.4.1.311.61.1.1', 13],
])

/** What the known extensions say, in the fields that Go gives them. */
class Extensions {
  isCa = false
  maxPathLength: number | undefined
  keyUsage = 0
  extendedUsages: readonly number[] | undefined
  hasNameConstraints = false
  readonly unhandled: (readonly number[])[] = []
  #basic = false
  #maxPathLen = 0
  #subjectKeyId: Value = null
  #authorityKeyId: Value = null
  #unknownUsages: Value[] = []
  readonly #lists = new Map<string, Value[]>()

  constructor(extensions: readonly Extension[]) {
    for (const extension of extensions) {
      if (!this.#read(extension) && extension.critical) this.unhandled.push(extension.id)
    }
  }

  #read({ id, value }: Extension): boolean {
    switch (id.join('.')) {
      case '2.5.29.15':
        this.keyUsage = usageBits(bitsOf(readDer(value)))
        return true
      case '2.5.29.19':
        this.#readBasic(readDer(value))
        return true
      case '2.5.29.17':
        return this.#readNames(readDer(value))
      case '2.5.29.30':
        this.hasNameConstraints = true
        return true
      case '2.5.29.31':
        this.#readDistribution(readDer(value))
        return true
      case '2.5.29.35':
        this.#readAuthority(readDer(value))
        return true
      case '2.5.29.37':
        this.#readUsages(readDer(value))
        return true
      case '2.5.29.14':
        this.#subjectKeyId = base64(need(readDer(value), tags.octetString).content)
        return true
      case '2.5.29.32':
        for (const policy of childrenOf(readDer(value))) {
          const arcs = oidOf(need(childrenOf(policy)[0]))
          this.#push('PolicyIdentifiers', arcs)
          this.#push('Policies', arcs.join('.'))
        }
        return true
      case '1.3.6.1.5.5.7.1.1':
        this.#readAccess(readDer(value))
        return true
      default:
        return false
    }
  }

  #push(field: string, value: Value): void {
    this.#lists.set(field, [...(this.#lists.get(field) ?? []), value])
  }

  #readBasic(node: DerNode): void {
    const parts = childrenOf(node)
    this.#basic = true
    this.isCa = parts[0]?.tag === tags.boolean && parts[0].content[0] !== 0
    const length = parts.find((part) => part.tag === tags.integer)
    this.maxPathLength = length === undefined ? undefined : Number(integerOf(length))
    this.#maxPathLen = this.maxPathLength ?? -1
  }

  /** False when a name of a kind that is not known stands there. */
  #readNames(node: DerNode): boolean {
    let handled = false
    for (const name of childrenOf(node)) {
      const field = nameFields.get(name.tag)
      if (field === undefined) continue
      handled = true
      const text = name.content.toString('latin1')
      if (field === 'IPAddresses') this.#push(field, addressText(name.content))
      else if (field === 'URIs') {
        this.#push(field, urlValue(text))
        this.#push('URIStrings', text)
      } else this.#push(field, text)
    }
    return handled
  }

  #readUsages(node: DerNode): void {
    const usages: number[] = []
    for (const usage of childrenOf(node)) {
      const arcs = oidOf(usage)
      const number = usageNumbers.get(arcs.join('.'))
      if (number === undefined) this.#unknownUsages.push(arcs)
      else usages.push(number)
    }
    this.extendedUsages = usages
  }

  #readAuthority(node: DerNode): void {
    const id = childrenOf(node).find((part) => part.tag === 0x80)
    if (id !== undefined) this.#authorityKeyId = base64(id.content)
  }

  #readDistribution(node: DerNode): void {
    for (const point of childrenOf(node)) {
      const name = childrenOf(point).find((part) => part.tag === 0xa0)
      const full =
        name === undefined ? undefined : readAll(name.content).find((part) => part.tag === 0xa0)
      for (const uri of full === undefined ? [] : readAll(full.content)) {
        if (uri.tag === 0x86) this.#push('CRLDistributionPoints', uri.content.toString('latin1'))
      }
    }
  }

  #readAccess(node: DerNode): void {
    for (const description of childrenOf(node)) {
      const [method, location] = childrenOf(description)
      if (location?.tag !== 0x86) continue
      const name = oidOf(need(method)).join('.')
      const text = location.content.toString('latin1')
      if (name === '1.3.6.1.5.5.7.48.1') this.#push('OCSPServer', text)
      else if (name === '1.3.6.1.5.5.7.48.2') this.#push('IssuingCertificateURL', text)
    }
  }

  entries(): (readonly [Value, Value])[] {
    const list = (field: string): Value => this.#lists.get(field) ?? null
    const usages = this.extendedUsages ?? []
    return [
      ['UnhandledCriticalExtensions', this.unhandled.length === 0 ? null : this.unhandled],
      ['KeyUsage', this.keyUsage],
      ['ExtKeyUsage', usages.length === 0 ? null : usages],
      ['UnknownExtKeyUsage', this.#unknownUsages.length === 0 ? null : this.#unknownUsages],
      ['BasicConstraintsValid', this.#basic],
      ['IsCA', this.isCa],
      ['MaxPathLen', this.#maxPathLen],
      ['MaxPathLenZero', this.#basic && this.#maxPathLen === 0],
      ['SubjectKeyId', this.#subjectKeyId],
      ['AuthorityKeyId', this.#authorityKeyId],
      ...listNames.map((field) => [field, list(field)] as const),
      ['PermittedDNSDomainsCritical', false],
      ['InhibitAnyPolicy', 0],
      ['InhibitAnyPolicyZero', false],
      ['InhibitPolicyMapping', 0],
      ['InhibitPolicyMappingZero', false],
      ['RequireExplicitPolicy', 0],
      ['RequireExplicitPolicyZero', false],
    ]
  }
}

const listNames = [
  'OCSPServer',
  'IssuingCertificateURL',
  'DNSNames',
  'EmailAddresses',
  'IPAddresses',
  'URIs',
  'URIStrings',
  'PermittedDNSDomains',
  'ExcludedDNSDomains',
  'PermittedIPRanges',
  'ExcludedIPRanges',
  'PermittedEmailAddresses',
  'ExcludedEmailAddresses',
  'PermittedURIDomains',
  'ExcludedURIDomains',
  'CRLDistributionPoints',
  'PolicyIdentifiers',
  'Policies',
  'PolicyMappings',
]

/** Alternative names by the tag that their kind has. */
export const nameFields = new Map([
  [0x81, 'EmailAddresses'],
  [0x82, 'DNSNames'],
  [0x86, 'URIs'],
  [0x87, 'IPAddresses'],
])

/** Bits of a bit string, the first as the lowest, as Go numbers key usages. */
function usageBits(bits: Buffer): number {
  let usage = 0
  for (let index = 0; index < Math.min(9, bits.length * 8); index++) {
    if ((bits[index >> 3]! & (0x80 >> (index & 7))) !== 0) usage |= 1 << index
  }
  return usage
}

export function addressText(bytes: Buffer): string {
  if (bytes.length !== 4 && bytes.length !== 16) throw new DerError('bad address length')
  const version = bytes.length === 4 ? 4 : 6
  return ipText({ version, value: BigInt(`0x${bytes.toString('hex')}`) })
}

/** Go's url.URL as JSON. */
export function urlValue(text: string): Value {
  const url = parseUrl(text)
  const opaque = url.scheme !== '' && url.host === '' && url.path === ''
  return new RegoObject([
    ['Scheme', url.scheme],
    ['Opaque', opaque ? text.slice(url.scheme.length + 1).split(/[?#]/)[0]! : ''],
    ['User', null],
    ['Host', url.host],
    ['Path', url.path],
    ['RawPath', url.rawPath],
    [
      'OmitHost',
      url.scheme !== '' && url.host === '' && url.path.startsWith('/') && !text.includes('://'),
    ],
    ['ForceQuery', false],
    ['RawQuery', url.rawQuery],
    ['Fragment', url.fragment],
    ['RawFragment', escapeUrl(url.fragment, 'fragment') === url.fragment ? '' : url.fragment],
  ])
}
