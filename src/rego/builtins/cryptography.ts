/** Digests, HMACs, X.509 certificates and requests, and private keys. */
import { createHash, createHmac, timingSafeEqual, X509Certificate } from 'node:crypto'
import { toBigInt, isNumber } from '../numbers.ts'
import { objectEntries, RegoObject, type Value } from '../values.ts'
import type { BuiltinContext } from './builtin.ts'
import { readCertificates, type Certificate } from './crypto/certificate.ts'
import { findChain, type ChainOptions } from './crypto/chain.ts'
import { DerError } from './crypto/der.ts'
import { readPem } from './crypto/pem.ts'
import { goKeyValue, jwkValue, PrivateKeyError, readPrivateKeys } from './crypto/private-key.ts'
import { readRequest } from './crypto/request.ts'
import { decodeBase64, DecodeError } from './go/base64.ts'
import { bytesOf } from './go/bytes.ts'
import { trimCharacters } from './go/trim.ts'
import { UrlError } from './go/url.ts'
import {
  elementsOf,
  fail,
  objectOperand,
  stringOperand,
  type FunctionTable,
  type Implementation,
} from './operand.ts'

function digest(hash: string): Implementation {
  return (_, text) =>
    createHash(hash)
      .update(bytesOf(stringOperand(text, 1)))
      .digest('hex')
}

function hmac(hash: string): Implementation {
  return (_, message, key) => {
    const text = stringOperand(message, 1)
    return createHmac(hash, bytesOf(stringOperand(key, 2)))
      .update(bytesOf(text))
      .digest('hex')
  }
}

function isEqualMac(left: string, right: string): boolean {
  const a = bytesOf(left)
  const b = bytesOf(right)
  return a.length === b.length && timingSafeEqual(a, b)
}

class InputError extends Error {}

/** Runs a reader of foreign bytes and names what it could not read. */
function reading<T>(what: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof DerError || error instanceof UrlError) fail(`x509: malformed ${what}`)
    if (
      error instanceof DecodeError ||
      error instanceof InputError ||
      error instanceof PrivateKeyError
    ) {
      fail(error.message)
    }
    throw error
  }
}

/** Certificates in PEM, in DER as base64, or in PEM as base64. */
function certificatesOf(text: string): readonly Certificate[] {
  if (text.startsWith('-----BEGIN')) return readCertificates(derOf(text))
  const bytes = decodeBase64(text)
  const inner = bytes.toString('latin1')
  return readCertificates(inner.startsWith('-----BEGIN') ? derOf(inner) : bytes)
}

function derOf(pem: string): Buffer {
  const parts: Buffer[] = []
  for (let block = readPem(pem); block !== undefined; block = readPem(block.rest)) {
    if (block.type !== 'CERTIFICATE') {
      throw new InputError(`PEM block type is '${block.type}', expected CERTIFICATE`)
    }
    parts.push(block.bytes)
  }
  return Buffer.concat(parts)
}

const notVerified: Value = [false, []]
const serverAuthentication = 1

function verifyChain(text: string, options: ChainOptions): Value {
  let certificates: readonly Certificate[]
  try {
    certificates = certificatesOf(text)
  } catch {
    return notVerified
  }
  const [root, ...rest] = certificates
  const leaf = rest.pop()
  if (root === undefined || leaf === undefined) return notVerified
  const chain = findChain(root, rest, leaf, options)
  return chain === undefined ? notVerified : [true, chain.map(({ value }) => value)]
}

const usageNames = new Map([
  ['KeyUsageAny', 0],
  ['KeyUsageServerAuth', 1],
  ['KeyUsageClientAuth', 2],
  ['KeyUsageCodeSigning', 3],
  ['KeyUsageEmailProtection', 4],
  ['KeyUsageIPSECEndSystem', 5],
  ['KeyUsageIPSECTunnel', 6],
  ['KeyUsageIPSECUser', 7],
  ['KeyUsageTimeStamping', 8],
  ['KeyUsageOCSPSigning', 9],
  ['KeyUsageMicrosoftServerGatedCrypto', 10],
  ['KeyUsageNetscapeServerGatedCrypto', 11],
  ['KeyUsageMicrosoftCommercialCodeSigning', 12],
  ['KeyUsageMicrosoftKernelCodeSigning', 13],
])

function chainOptions(context: BuiltinContext, value?: Value): ChainOptions {
  let dnsName = ''
  let timeMs = Number(context.nowNs() / 1_000_000n)
  let usages: readonly number[] = [serverAuthentication]
  const given = value === undefined ? [] : objectEntries(objectOperand(value, 2))
  for (const { key, value: setting } of given) {
    if (key === 'DNSName') {
      if (typeof setting !== 'string') fail("'DNSName' should be a string")
      dnsName = trimCharacters(setting, '"', 'both')
    } else if (key === 'CurrentTime') {
      const ns = isNumber(setting) ? toBigInt(setting) : fail("'CurrentTime' should be a number")
      if (ns === undefined) fail("'CurrentTime' should be a valid int64 number")
      timeMs = Number(ns / 1_000_000n)
    } else if (key === 'MaxConstraintComparisons') {
      if (!isNumber(setting)) fail("'MaxConstraintComparisons' should be a number")
    } else if (key === 'KeyUsages') {
      const chosen = usagesOf(setting)
      if (chosen.length > 0) usages = chosen
    } else if (typeof key === 'string') {
      fail('invalid key option')
    }
  }
  return { dnsName, timeMs, usages }
}

function usagesOf(value: Value): readonly number[] {
  const elements = elementsOf(value) ?? fail("'KeyUsages' should be an Array or Set")
  const names = elements
    .filter((element): element is string => typeof element === 'string')
    .map((name) => trimCharacters(name, '"', 'both'))
  const unknown = names.filter((name) => !usageNames.has(name))
  if (unknown.length > 0) fail(`invalid entries for 'KeyUsages' found: [${unknown.join(' ')}]`)
  return names.map((name) => usageNames.get(name)!)
}

function parseRequest(text: string): Value {
  const begin = '-----BEGIN CERTIFICATE REQUEST-----'
  const pem = text.startsWith(begin) ? text : undefined
  const bytes = pem === undefined ? decodeBase64(text) : Buffer.from(pem)
  const block = readPem(bytes.toString('latin1'))
  if (block !== undefined && block.type !== 'CERTIFICATE REQUEST') {
    throw new InputError('invalid PEM-encoded certificate signing request')
  }
  return readRequest(block?.bytes ?? bytes)
}

/** PEM text of an operand that is PEM, PEM in base64, or DER in base64. */
function pemBlocks(text: string): { blocks: Buffer[]; types: string[] } {
  const decoded = text.startsWith('-----BEGIN ') ? text : decodeBase64(text).toString('latin1')
  const blocks: Buffer[] = []
  const types: string[] = []
  if (!decoded.startsWith('-----BEGIN '))
    return { blocks: [Buffer.from(decoded, 'latin1')], types: ['DER'] }
  for (let block = readPem(decoded); block !== undefined; block = readPem(block.rest)) {
    blocks.push(block.bytes)
    types.push(block.type)
  }
  return { blocks, types }
}

/** Go's tls.Certificate as JSON, of a certificate chain and the key of its leaf. */
function parseKeyPair(certificate: string, key: string): Value {
  const chain = pemBlocks(certificate)
  const ders = chain.blocks.filter((_, index) =>
    ['CERTIFICATE', 'DER'].includes(chain.types[index]!),
  )
  const [leaf] = ders
  if (leaf === undefined)
    throw new InputError('tls: failed to find any PEM data in certificate input')
  const keyText = pemBlocks(key)
  const pem = keyText.types[0] === 'DER' ? pkcs8(keyText.blocks[0]!) : keyTextOf(key)
  const [privateKey] = readPrivateKeys(pem)
  if (privateKey === undefined)
    throw new InputError('tls: failed to find any PEM data in key input')
  const [parsed] = readCertificates(leaf)
  if (!new X509Certificate(leaf).checkPrivateKey(privateKey)) {
    throw new InputError('tls: private key does not match public key')
  }
  return new RegoObject([
    ['Certificate', ders.map((der) => der.toString('base64'))],
    ['PrivateKey', goKeyValue(privateKey)],
    ['SupportedSignatureAlgorithms', null],
    ['OCSPStaple', null],
    ['SignedCertificateTimestamps', null],
    ['Leaf', withoutUriStrings(parsed!.value)],
  ])
}

function keyTextOf(text: string): string {
  return text.startsWith('-----BEGIN ') ? text : decodeBase64(text).toString('latin1')
}

function pkcs8(der: Buffer): string {
  return `-----BEGIN PRIVATE KEY-----\n${der.toString('base64')}\n-----END PRIVATE KEY-----\n`
}

function withoutUriStrings(value: RegoObject): RegoObject {
  const entries = value.sorted().filter(({ key }) => key !== 'URIStrings')
  return new RegoObject(entries.map((entry) => [entry.key, entry.value] as const))
}

function parseRsaKey(text: string): Value {
  if (text === '') throw new InputError('input PEM data was empty')
  const pem = text.startsWith('-----BEGIN') ? text : decodeBase64(text).toString('latin1')
  const [key] = readPrivateKeys(pem)
  return key === undefined ? null : jwkValue(key)
}

function withText(position: number, what: string, read: (text: string) => Value): Implementation {
  return (_, text) => {
    const source = stringOperand(text, position)
    return reading(what, () => read(source))
  }
}

export const cryptographyFunctions: FunctionTable = {
  'crypto.md5': digest('md5'),
  'crypto.sha1': digest('sha1'),
  'crypto.sha256': digest('sha256'),
  'crypto.hmac.md5': hmac('md5'),
  'crypto.hmac.sha1': hmac('sha1'),
  'crypto.hmac.sha256': hmac('sha256'),
  'crypto.hmac.sha512': hmac('sha512'),
  'crypto.hmac.equal': (_, left, right) =>
    isEqualMac(stringOperand(left, 1), stringOperand(right, 2)),
  'crypto.parse_private_keys': withText(1, 'private key', (text) =>
    text === '' ? null : readPrivateKeys(text).map(goKeyValue),
  ),
  'crypto.x509.parse_certificates': withText(1, 'certificate', (text) =>
    certificatesOf(text).map(({ value }) => value),
  ),
  'crypto.x509.parse_and_verify_certificates': (context, text) =>
    verifyChain(stringOperand(text, 1), chainOptions(context)),
  'crypto.x509.parse_and_verify_certificates_with_options': (context, text, options) => {
    const source = stringOperand(text, 1)
    return verifyChain(source, chainOptions(context, options))
  },
  'crypto.x509.parse_certificate_request': withText(1, 'certificate request', parseRequest),
  'crypto.x509.parse_keypair': (_, certificate, key) => {
    const cert = stringOperand(certificate, 1)
    const secret = stringOperand(key, 1)
    return reading('certificate', () => parseKeyPair(cert, secret))
  },
  'crypto.x509.parse_rsa_private_key': withText(1, 'private key', parseRsaKey),
}
