/**
 * Certificate chains: whether a leaf leads to one trusted root through the certificates given (RFC 5280 §6), with the
 * rules of Go's verifier.
 *
 * A chain with name constraints is refused, since they are not evaluated here; so are signatures with MD5 or SHA-1.
 */
import { X509Certificate } from 'node:crypto'
import { ipText, parseIp } from '../net/address.ts'
import type { Certificate } from './certificate.ts'

export interface ChainOptions {
  /** Empty when no name is asked for. */
  readonly dnsName: string
  /** Milliseconds since 1970. */
  readonly timeMs: number
  /** Go's numbers of extended key usages, one of which the chain must allow. */
  readonly usages: readonly number[]
}

const anyUsage = 0
/** Signature algorithms that prove nothing: MD5 and SHA-1 with RSA, DSA and ECDSA. */
const insecure = new Set([0, 1, 2, 3, 7, 9])
const certSign = 1 << 5
/** Signatures checked at most for one chain. */
const signatureLimit = 100

/** Leaf first, root last; undefined when there is no valid chain. */
export function findChain(
  root: Certificate,
  intermediates: readonly Certificate[],
  leaf: Certificate,
  options: ChainOptions,
): readonly Certificate[] | undefined {
  if (leaf.unhandledCritical.length > 0 || !isCurrent(leaf, options)) return undefined
  if (options.dnsName !== '' && !hasName(leaf, options.dnsName)) return undefined
  const search = new Search(root, intermediates, options)
  const chain = leaf.der.equals(root.der) ? [leaf] : search.extend([leaf])
  return chain !== undefined && allows(chain, options.usages) ? chain : undefined
}

class Search {
  readonly #root: Certificate
  readonly #intermediates: readonly Certificate[]
  readonly #options: ChainOptions
  #signatures = 0

  constructor(root: Certificate, intermediates: readonly Certificate[], options: ChainOptions) {
    this.#root = root
    this.#intermediates = intermediates
    this.#options = options
  }

  extend(chain: readonly Certificate[]): readonly Certificate[] | undefined {
    const child = chain.at(-1)!
    if (this.#mayIssue(this.#root, child, chain.length)) return [...chain, this.#root]
    for (const candidate of this.#intermediates) {
      if (chain.some((used) => used.der.equals(candidate.der))) continue
      if (!this.#mayIssue(candidate, child, chain.length)) continue
      const found = this.extend([...chain, candidate])
      if (found !== undefined) return found
    }
    return undefined
  }

  #mayIssue(issuer: Certificate, child: Certificate, depth: number): boolean {
    if (!issuer.rawSubject.equals(child.rawIssuer)) return false
    if (!isCurrent(issuer, this.#options) || issuer.unhandledCritical.length > 0) return false
    if (!issuer.isCa || issuer.hasNameConstraints) return false
    if (issuer.keyUsage !== 0 && (issuer.keyUsage & certSign) === 0) return false
    if (issuer.maxPathLength !== undefined && depth - 1 > issuer.maxPathLength) return false
    if (insecure.has(child.signatureAlgorithm) || ++this.#signatures > signatureLimit) return false
    return isSignedBy(child, issuer)
  }
}

function isSignedBy(child: Certificate, issuer: Certificate): boolean {
  try {
    return new X509Certificate(child.der).verify(new X509Certificate(issuer.der).publicKey)
  } catch {
    return false
  }
}

function isCurrent(certificate: Certificate, { timeMs }: ChainOptions): boolean {
  return timeMs >= certificate.notBefore && timeMs <= certificate.notAfter
}

function hasName(leaf: Certificate, name: string): boolean {
  const address = parseIp(/^\[(.*)\]$/.exec(name)?.[1] ?? name)
  try {
    const certificate = new X509Certificate(leaf.der)
    if (address !== undefined) return certificate.checkIP(ipText(address)) !== undefined
    return certificate.checkHost(name, { subject: 'never', partialWildcards: false }) !== undefined
  } catch {
    return false
  }
}

/** Whether one of the usages is allowed by every certificate; one without the extension allows all. */
function allows(chain: readonly Certificate[], usages: readonly number[]): boolean {
  if (usages.includes(anyUsage)) return true
  return usages.some((usage) =>
    chain.every(
      ({ extendedUsages }) =>
        extendedUsages === undefined ||
        extendedUsages.includes(usage) ||
        extendedUsages.includes(anyUsage),
    ),
  )
}
