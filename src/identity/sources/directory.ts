/**
 * The identity that something else writes into a folder: separate PEM files (spiffe-helper, cert-manager's
 * csi-driver-spiffe) or one credential bundle with the key first (Kubernetes podCertificate).
 *
 * The files are not written in one step, except by the `..data` swap of Kubernetes; a key that does not fit its
 * certificate is taken for a write that is not finished, and the last good pair stays.
 */
import { X509Certificate } from 'node:crypto'
import { dirname, resolve } from 'node:path'
import { readCertificate } from '../certificate.ts'
import { IdentityFileError } from '../identity-error.ts'
import type { DirectorySection, IdentitySection } from '../section.ts'
import { isSpiffeId, parseSpiffeId } from '../spiffe-id.ts'
import { assembleIdentity } from '../workload-identity.ts'
import type { WorkloadIdentity } from '../workload-identity.ts'
import {
  aboutFile,
  chainFrom,
  checkKeyPermissions,
  privateKeyFrom,
  readIdentityFile,
} from './files.ts'
import { IdentityKeeper } from './keeper.ts'
import type { KeeperOptions, Loaded } from './keeper.ts'
import {
  readBundleFile,
  readTrustFiles,
  trustFileNames,
  trustFilePaths,
  trustFolders,
} from './trust-files.ts'

/** What a source is opened with, beside its section. */
export type SourceOptions = Pick<KeeperOptions, 'clock' | 'onEvent'> & {
  /** Folder that relative paths start from. */
  readonly baseDirectory: string
}

interface DirectoryFiles {
  readonly certificate: string
  readonly key: string
  readonly bundle: string
}

const filesOf = (directory: DirectorySection, baseDirectory: string): DirectoryFiles => {
  const folder = resolve(baseDirectory, directory.path)
  const joined = directory.credential_bundle
  return {
    certificate: resolve(folder, joined ?? directory.certificate),
    key: resolve(folder, joined ?? directory.key),
    bundle: resolve(folder, directory.bundle),
  }
}

const trustDomainOf = (leaf: Buffer, file: string, wanted: string | undefined): string => {
  const expected = wanted ? `an x.509-svid of ${wanted}` : 'an x.509-svid'
  const fix = 'let the issuer put exactly one spiffe id into the certificate'
  const certificate = aboutFile(file, expected, fix, () => readCertificate(leaf))
  const uri = certificate.names.find((name) => name.kind === 'uri')
  const id = uri && 'text' in uri && isSpiffeId(uri.text) ? parseSpiffeId(uri.text) : undefined
  if (!id) throw new IdentityFileError({ file, expected, got: 'no spiffe id', fix })
  if (wanted !== undefined && id.trustDomain !== wanted)
    throw new IdentityFileError({
      file,
      expected,
      got: id.uri,
      fix: 'correct trust_domain or the certificate',
    })
  return id.trustDomain
}

/** Names a mismatch of key and certificate as what it is, before the general rules speak. */
const checkPair = (
  leaf: Buffer,
  key: WorkloadIdentity['privateKey'],
  files: DirectoryFiles,
): void => {
  if (new X509Certificate(leaf).checkPrivateKey(key)) return
  throw new IdentityFileError({
    file: files.key,
    expected: `the private key of ${files.certificate}`,
    got: 'the key of another certificate',
    fix: 'write both files again; the last good pair stays in force until they match',
  })
}

const loadDirectory = (
  section: IdentitySection,
  directory: DirectorySection,
  options: SourceOptions,
  last: Loaded | undefined,
): Loaded => {
  const files = filesOf(directory, options.baseDirectory)
  const chain = chainFrom(
    readIdentityFile(files.certificate, 'a certificate chain in pem'),
    files.certificate,
  )
  const keyText = readIdentityFile(files.key, 'one private key in pem')
  const privateKey = privateKeyFrom(keyText, files.key)
  const warning = checkKeyPermissions(files.key, section.key_files)
  checkPair(chain[0]!, privateKey, files)
  const trustDomain = trustDomainOf(chain[0]!, files.certificate, section.trust_domain)
  const own = readBundleFile(files.bundle, trustDomain)
  const read = readTrustFiles(own, trustFilePaths(section, options.baseDirectory), last?.trust)
  const identity = aboutFile(
    files.certificate,
    `an x.509-svid that verifies against ${files.bundle}`,
    'renew the certificate, or add its authority to the bundle',
    () =>
      assembleIdentity(
        chain,
        privateKey,
        // Whether we are revoked is for our peers to say: our own CRL must not keep us from starting.
        { byTrustDomain: read.trust.byTrustDomain, revocation: 'not-configured' },
        options.clock.now(),
        files.certificate,
      ),
  )
  return {
    identity,
    trust: read.trust,
    identityKey: chain.map((der) => der.toString('base64')).join(' '),
    trustKey: read.key,
    warnings: warning ? [{ file: files.key, detail: warning }] : [],
    ...(read.fault ? { fault: read.fault } : {}),
  }
}

/**
 * Opens a folder as the source of identity.
 *
 * @throws IdentityFileError when a file is missing or wrong; later changes never throw
 */
export const openDirectory = (
  section: IdentitySection,
  directory: DirectorySection,
  options: SourceOptions,
): IdentityKeeper => {
  const files = filesOf(directory, options.baseDirectory)
  const paths = trustFilePaths(section, options.baseDirectory)
  const own = [files.certificate, files.key, files.bundle]
  return new IdentityKeeper({
    clock: options.clock,
    onEvent: (event) => options.onEvent(event),
    everyMs: directory.check_every,
    files: () => [...own, ...trustFileNames(paths)],
    folders: [...own.map((file) => dirname(file)), ...trustFolders(paths)],
    load: (last) => loadDirectory(section, directory, options, last),
  })
}
