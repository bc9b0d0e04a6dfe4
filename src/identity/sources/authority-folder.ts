/**
 * The development authority on disk: what `sallyport certs` writes into `certs/` and what the development source reads.
 *
 * ```
 * certs/root.pem root.key            the root that signs the intermediate
 * certs/authority.pem authority.key  the intermediate that issues
 * certs/bundle.pem                   every root that is trusted, during a change of root more than one
 * certs/crl.pem revoked.txt          revocation lists, and the serial numbers they are made from
 * certs/workloads/<name>/            tls.crt, tls.key, ca.crt
 * ```
 * Files are replaced in one step and keys are for their owner only. It is for development: whoever can read this
 * folder is any workload.
 */
import type { KeyObject } from 'node:crypto'
import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import {
  issueIntermediate,
  issueRevocationList,
  issueRoot,
  issueSvid,
  validFor,
} from '../authority.ts'
import type { Authority, IssuedCertificate } from '../authority.ts'
import { certificatePem, readCertificate } from '../certificate.ts'
import type { Certificate } from '../certificate.ts'
import { IdentityFileError } from '../identity-error.ts'
import { chainFrom, privateKeyFrom, readIdentityFile } from './files.ts'
import { parseSpiffeId, parseTrustDomain } from '../spiffe-id.ts'
import { isKeyOf } from '../workload-identity.ts'
import { writePem } from '../x509/pem.ts'

const day = 86_400_000
/** Lives of what is written here, in milliseconds. */
export const rootLifetimeMs = 3_650 * day
export const intermediateLifetimeMs = 365 * day
const crlLifetimeMs = 7 * day
/** How long a leaf on disk lives unless asked otherwise. */
export const defaultLeafLifetimeMs = 90 * day

export const names = {
  root: 'root.pem',
  rootKey: 'root.key',
  nextRoot: 'next-root.pem',
  nextRootKey: 'next-root.key',
  authority: 'authority.pem',
  authorityKey: 'authority.key',
  bundle: 'bundle.pem',
  crl: 'crl.pem',
  revoked: 'revoked.txt',
  workloads: 'workloads',
} as const

/** Replaces a file in one step: whoever reads it sees the old content or the new, never a part. */
export const writeInOneStep = (file: string, content: string, mode: 0o600 | 0o644): void => {
  const folder = dirname(file)
  mkdirSync(folder, { recursive: true, mode: 0o755 })
  const temporary = join(folder, `.${randomBytes(6).toString('hex')}.new`)
  const handle = openSync(temporary, 'wx', mode)
  try {
    writeSync(handle, content)
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
  chmodSync(temporary, mode)
  renameSync(temporary, file)
}

export const pemOf = (chain: readonly Buffer[]): string =>
  chain.map((der) => certificatePem(der)).join('')
const keyPem = (key: KeyObject): string => key.export({ format: 'pem', type: 'pkcs8' }).toString()

export const saveAuthority = (
  folder: string,
  authority: Authority,
  file: string,
  keyFile: string,
): void => {
  const chain =
    authority.intermediates.length > 0 ? authority.intermediates : [authority.certificate.der]
  writeInOneStep(join(folder, keyFile), keyPem(authority.privateKey), 0o600)
  writeInOneStep(join(folder, file), pemOf(chain), 0o644)
}

export const readAuthority = (
  folder: string,
  file: string,
  keyFile: string,
  kind: 'root' | 'intermediate',
): Authority => {
  const path = join(folder, file)
  const chain = chainFrom(
    readIdentityFile(path, 'the certificate of the development authority'),
    path,
  )
  const keyPath = join(folder, keyFile)
  const privateKey = privateKeyFrom(
    readIdentityFile(keyPath, 'the key of the development authority'),
    keyPath,
  )
  if (!isKeyOf(privateKey, chain[0]!))
    throw new IdentityFileError({
      file: keyPath,
      expected: `the private key of ${path}`,
      got: 'the key of another certificate',
      fix: 'run `sallyport certs rotate`, or init again in an empty folder',
    })
  return {
    certificate: readCertificate(chain[0]!),
    privateKey,
    intermediates: kind === 'root' ? [] : chain,
  }
}

/** The authority that issues leaves. @throws IdentityFileError when the folder was not initialised */
export const openAuthority = (folder: string): Authority =>
  readAuthority(folder, names.authority, names.authorityKey, 'intermediate')

export const openRoot = (folder: string): Authority =>
  readAuthority(folder, names.root, names.rootKey, 'root')

/** The trust domain of the authority in a folder. @throws IdentityFileError */
export const trustDomainOfFolder = (folder: string): string => {
  const file = join(folder, names.root)
  const root = readCertificate(
    chainFrom(readIdentityFile(file, 'the root of the development authority'), file)[0]!,
  )
  const uri = root.names.find((name) => name.kind === 'uri')
  if (uri && 'text' in uri) return parseTrustDomain(uri.text)
  throw new IdentityFileError({
    file,
    expected: 'a root made by `sallyport certs init`',
    got: 'a certificate without a trust domain',
    fix: 'run `sallyport certs init` in an empty folder',
  })
}

/** Paths in an authority folder that others read. */
export const authorityFiles = (
  folder: string,
): {
  readonly bundle: string
  readonly authority: string
  readonly key: string
  readonly crl: string
} => ({
  bundle: join(folder, names.bundle),
  authority: join(folder, names.authority),
  key: join(folder, names.authorityKey),
  crl: join(folder, names.crl),
})

const revokedSerials = (folder: string): readonly string[] => {
  const file = join(folder, names.revoked)
  return existsSync(file)
    ? readFileSync(file, 'utf8')
        .split('\n')
        .filter((line) => line !== '')
    : []
}

/** Writes fresh CRLs of the root and the intermediate, both with every revoked serial number of this folder. */
export const writeRevocationLists = (
  folder: string,
  now: number,
  lifetimeMs = crlLifetimeMs,
): void => {
  const revoked = revokedSerials(folder)
  const request = {
    number: Math.floor(now / 1000),
    thisUpdate: now - 60_000,
    nextUpdate: now + lifetimeMs,
    revoked,
  }
  const lists = [openRoot(folder), openAuthority(folder)].map((authority) =>
    writePem('X509 CRL', issueRevocationList(authority, request)),
  )
  writeInOneStep(join(folder, names.crl), lists.join(''), 0o644)
}

/** Revokes a certificate by its serial number in hex and writes the CRLs anew. */
export const revokeCertificate = (folder: string, serial: string, now: number): void => {
  const all = new Set([...revokedSerials(folder), serial.toLowerCase().replace(/^0+(?=.)/, '')])
  writeInOneStep(join(folder, names.revoked), `${[...all].join('\n')}\n`, 0o644)
  writeRevocationLists(folder, now)
}

/**
 * Makes a development authority in a folder that has none.
 *
 * @throws IdentityFileError when there is one already: its leaves would stop verifying
 */
export const initAuthority = (
  folder: string,
  request: { readonly trustDomain: string; readonly now: number },
): void => {
  const trustDomain = parseTrustDomain(request.trustDomain)
  if (existsSync(join(folder, names.root)))
    throw new IdentityFileError({
      file: join(folder, names.root),
      expected: 'no authority yet',
      got: `the authority of ${trustDomainOfFolder(folder)}`,
      fix: 'use `sallyport certs rotate`, or remove the folder to start anew',
    })
  const root = issueRoot(trustDomain, validFor(request.now, rootLifetimeMs))
  const authority = issueIntermediate(
    root,
    trustDomain,
    validFor(request.now, intermediateLifetimeMs),
  )
  saveAuthority(folder, root, names.root, names.rootKey)
  saveAuthority(folder, authority, names.authority, names.authorityKey)
  writeInOneStep(join(folder, names.bundle), pemOf([root.certificate.der]), 0o644)
  writeRevocationLists(folder, request.now)
}

/** What to issue. `name` is the folder below `workloads/`; the last part of the path when absent. */
export interface IssueRequest {
  readonly spiffeId: string
  readonly now: number
  readonly name?: string
  readonly dnsNames?: readonly string[]
  readonly lifetimeMs?: number
  /** Where to write instead of `workloads/<name>` in the folder of the authority. */
  readonly into?: string
}

const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]*$/

/**
 * Issues an X.509-SVID and writes `tls.crt`, `tls.key` and `ca.crt`.
 *
 * @returns the folder it was written to, and the certificate
 * @throws SpiffeIdError, or IdentityFileError when the id is of another trust domain
 */
export const issueIdentity = (
  folder: string,
  request: IssueRequest,
): { readonly folder: string; readonly certificate: Certificate } => {
  const id = parseSpiffeId(request.spiffeId)
  const trustDomain = trustDomainOfFolder(folder)
  const name = request.name ?? id.path.split('/').at(-1)!
  const problem = (expected: string, got: string) =>
    new IdentityFileError({ file: folder, expected, got, fix: 'give another spiffe id or name' })
  if (id.trustDomain !== trustDomain) throw problem(`an id of ${trustDomain}`, id.uri)
  if (id.path === '') throw problem('an id with a path', id.uri)
  if (!namePattern.test(name))
    throw problem('a name of letters, digits, dot, dash and underscore', name)
  const issued = issueSvid(openAuthority(folder), {
    spiffeId: id.uri,
    dnsNames: request.dnsNames ?? [],
    validity: validFor(request.now, request.lifetimeMs ?? defaultLeafLifetimeMs),
  })
  const target = request.into ?? join(folder, names.workloads, name)
  saveLeaf(folder, target, issued)
  return { folder: target, certificate: readCertificate(issued.chain[0]!) }
}

export const saveLeaf = (folder: string, target: string, issued: IssuedCertificate): void => {
  writeInOneStep(join(target, 'ca.crt'), readFileSync(join(folder, names.bundle), 'utf8'), 0o644)
  writeInOneStep(join(target, 'tls.key'), keyPem(issued.privateKey), 0o600)
  writeInOneStep(join(target, 'tls.crt'), pemOf(issued.chain), 0o644)
}

export const workloadFolders = (folder: string): readonly string[] => {
  const parent = join(folder, names.workloads)
  if (!existsSync(parent)) return []
  return readdirSync(parent)
    .map((name) => join(parent, name))
    .filter((path) => existsSync(join(path, 'tls.crt')))
}

export const leafOf = (target: string): Certificate => {
  const file = join(target, 'tls.crt')
  return readCertificate(chainFrom(readIdentityFile(file, 'a certificate chain in pem'), file)[0]!)
}

/** One certificate of a folder, for people. Times are milliseconds since 1970. */
export interface CertificateDescription {
  readonly file: string
  readonly kind: 'root' | 'intermediate' | 'workload'
  /** The SPIFFE ID, or the trust domain as an id. */
  readonly spiffeId: string
  readonly dnsNames: readonly string[]
  readonly serial: string
  readonly thumbprint: string
  readonly notBefore: number
  readonly notAfter: number
  /** Negative when it is over. */
  readonly secondsLeft: number
  readonly revoked: boolean
}

/** Describes every certificate in the folder of an authority. @throws IdentityFileError */
export const describeCertificates = (
  folder: string,
  now: number,
): readonly CertificateDescription[] => {
  const revoked = new Set(revokedSerials(folder))
  const describe = (file: string, kind: CertificateDescription['kind']): CertificateDescription => {
    const certificate = readCertificate(
      chainFrom(readIdentityFile(file, 'a certificate in pem'), file)[0]!,
    )
    const uri = certificate.names.find((name) => name.kind === 'uri')
    return {
      file,
      kind,
      spiffeId: uri && 'text' in uri ? uri.text : '',
      dnsNames: certificate.names.flatMap((name) => (name.kind === 'dns' ? [name.text] : [])),
      serial: certificate.serial,
      thumbprint: certificate.thumbprint,
      notBefore: certificate.notBefore,
      notAfter: certificate.notAfter,
      secondsLeft: Math.floor((certificate.notAfter - now) / 1000),
      revoked: revoked.has(certificate.serial),
    }
  }
  const next = join(folder, names.nextRoot)
  return [
    describe(join(folder, names.root), 'root'),
    ...(existsSync(next) ? [describe(next, 'root')] : []),
    describe(join(folder, names.authority), 'intermediate'),
    ...workloadFolders(folder).map((target) => describe(join(target, 'tls.crt'), 'workload')),
  ]
}
