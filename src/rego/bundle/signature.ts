/**
 * The signature of a bundle: one JWT in `.signatures.json` that lists every file with its hash. A bundle is accepted
 * when the signature is by the configured key, and the list is exactly the files that are there.
 *
 * Algorithms are the asymmetric ones, and the key decides which: a token cannot choose. Says nothing of who may sign
 * what beyond the `scope`, and does not look at the age of a signature.
 */

import { createHash, createPublicKey, X509Certificate, type KeyObject } from 'node:crypto'
import { verifySignature } from '../builtins/jwt/signature.ts'
import { parseYaml } from '../builtins/json/yaml.ts'
import { toJsonText } from '../value-text.ts'
import { BundleError } from './bundle-error.ts'
import { canonicalJson } from './canonical.ts'
import { isMapping } from './mount.ts'

/** The signature algorithms of bundles (RFC 7518). */
export const signatureAlgorithms = [
  'ES256',
  'ES384',
  'ES512',
  'PS256',
  'PS384',
  'PS512',
  'RS256',
  'RS384',
  'RS512',
] as const

/** One of {@link signatureAlgorithms}. */
export type SignatureAlgorithm = (typeof signatureAlgorithms)[number]

/** The key that a bundle must be signed with. */
export interface BundleKey {
  readonly key: KeyObject
  /** A token or a list that names a key must name this one. */
  readonly id: string
  readonly algorithm: SignatureAlgorithm
  /** What the signature must say it is for; empty when it must say nothing. */
  readonly scope: string
}

/** The name of the file that holds the signature. */
export const signatureFile = '.signatures.json'

const hashes: Readonly<Record<string, string>> = {
  'SHA-256': 'sha256',
  'SHA-384': 'sha384',
  'SHA-512': 'sha512',
  'SHA-512-256': 'sha512-256',
}

const smallestRsaBits = 2_048

/** A public key from PEM, of a key or a certificate. @throws BundleError when it is none, or is weak */
export function readBundleKey(pem: string): KeyObject {
  let key: KeyObject
  try {
    if (/PRIVATE KEY/.test(pem)) throw new Error('private')
    key = pem.includes('BEGIN CERTIFICATE')
      ? new X509Certificate(pem).publicKey
      : createPublicKey(pem)
  } catch {
    throw new BundleError('signature', 'the key is not a public key or a certificate in PEM')
  }
  const bits = key.asymmetricKeyDetails?.modulusLength
  if (bits !== undefined && bits < smallestRsaBits)
    throw new BundleError('signature', `the key has fewer than ${smallestRsaBits} bits`)
  return key
}

/** @throws BundleError unless the files are exactly those that the key has signed */
export function verifyFiles(files: ReadonlyMap<string, Buffer>, trusted: BundleKey): void {
  const signature = files.get(signatureFile)
  if (signature === undefined)
    throw new BundleError('unsigned', `the bundle has no ${signatureFile}`)
  const listed = signedList(tokenOf(signature), trusted)
  for (const [name, content] of files) {
    if (name === signatureFile) continue
    const entry = listed.get(name)
    if (entry === undefined) throw new BundleError('files', `${name} is not signed`)
    const hash = hashOf(name, content, entry.algorithm)
    if (hash !== entry.hash) throw new BundleError('files', `${name} is not what was signed`)
    listed.delete(name)
  }
  for (const [name] of listed)
    throw new BundleError('files', `${name} is signed and not in the bundle`)
}

interface SignedFile {
  readonly hash: string
  readonly algorithm: string
}

function fault(message: string): BundleError {
  return new BundleError('signature', message)
}

function tokenOf(content: Buffer): string {
  const document = parsed(content.toString('utf8'), signatureFile)
  const { signatures, ...others } = document
  if (Object.keys(others).some((name) => name !== 'plugin'))
    throw fault(`${signatureFile} has members that mean nothing here`)
  if (others['plugin'] !== undefined) throw fault('the bundle is signed for a plugin')
  if (!Array.isArray(signatures) || signatures.length !== 1 || typeof signatures[0] !== 'string')
    throw fault(`${signatureFile} must hold exactly one signature`)
  return signatures[0]
}

function parsed(json: string, what: string): Readonly<Record<string, unknown>> {
  let document: unknown
  try {
    document = JSON.parse(json)
  } catch {
    throw fault(`${what} is not JSON`)
  }
  if (!isMapping(document)) throw fault(`${what} is not an object`)
  return document
}

/** The bytes of base64url text that is written in the one way it can be (RFC 4648, 3.5). */
function decoded(part: string | undefined): Buffer {
  const bytes = Buffer.from(part ?? '', 'base64url')
  if (part === undefined || part === '' || bytes.toString('base64url') !== part)
    throw fault('the signature is not a JWT')
  return bytes
}

/** The list that was signed; every claim that is not right ends it. */
function signedList(token: string, trusted: BundleKey): Map<string, SignedFile> {
  const [head, payload, signature, ...rest] = token.split('.')
  if (rest.length > 0) throw fault('the signature is not a JWT')
  const header = parsed(decoded(head).toString('utf8'), 'the head of the signature')
  if (header['alg'] !== trusted.algorithm)
    throw fault(`the signature does not use ${trusted.algorithm}`)
  if (header['crit'] !== undefined) throw fault('the signature has critical members')
  const data = Buffer.from(`${head}.${payload}`)
  if (!verifySignature(trusted.algorithm, trusted.key, data, decoded(signature)))
    throw fault('the signature is not by the configured key')
  const claims = parsed(decoded(payload).toString('utf8'), 'the signed list')
  const kid = header['kid'] ?? claims['keyid']
  if (kid !== undefined && kid !== trusted.id)
    throw fault(`the signature names another key than ${trusted.id}`)
  if ((claims['scope'] ?? '') !== trusted.scope)
    throw fault(`the signature is not for the scope ${JSON.stringify(trusted.scope)}`)
  return listOf(claims['files'])
}

function listOf(files: unknown): Map<string, SignedFile> {
  if (!Array.isArray(files)) throw fault('the signed list has no files')
  const listed = new Map<string, SignedFile>()
  for (const file of files as readonly unknown[]) {
    const { name, hash, algorithm } = isMapping(file) ? file : {}
    if (typeof name !== 'string' || typeof hash !== 'string' || typeof algorithm !== 'string')
      throw fault('the signed list has an entry without name, hash or algorithm')
    if (hashes[algorithm] === undefined) throw fault(`the hash ${algorithm} is not accepted`)
    if (listed.has(name)) throw fault(`the signed list has ${name} twice`)
    listed.set(name, { hash: hash.toLowerCase(), algorithm })
  }
  return listed
}

/** Documents are hashed in canonical form, everything else byte for byte. */
function hashOf(name: string, content: Buffer, algorithm: string): string {
  const hash = createHash(hashes[algorithm] ?? '')
  return hash.update(hashed(name, content)).digest('hex')
}

function hashed(name: string, content: Buffer): Buffer | string {
  const last = name.slice(name.lastIndexOf('/') + 1)
  try {
    if (last === 'data.json' || last === '.manifest') return canonicalJson(utf8(content))
    if (/^data\.ya?ml$/.test(last)) return canonicalJson(toJsonText(parseYaml(utf8(content))))
  } catch {
    throw new BundleError('files', `${name} cannot be read`)
  }
  return content
}

function utf8(content: Buffer): string {
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content)
}
