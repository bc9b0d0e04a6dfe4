/**
 * The built-in development authority as a source: issues our certificate from the folder that `sallyport certs init`
 * made, keeps the key in memory only, and renews at half of the life.
 */
import { resolve } from 'node:path'
import { issueSvid, validFor } from '../authority.ts'
import type { Authority } from '../authority.ts'
import { authorityFiles, openAuthority, trustDomainOfFolder } from './authority-folder.ts'
import { IdentityFileError } from '../identity-error.ts'
import { renewalTime } from './rotate.ts'
import type { DevelopmentSection, IdentitySection } from '../section.ts'
import { parseSpiffeId } from '../spiffe-id.ts'
import type { TrustBundles } from '../trust-bundle.ts'
import { assembleIdentity } from '../workload-identity.ts'
import type { WorkloadIdentity } from '../workload-identity.ts'
import type { SourceOptions } from './directory.ts'
import { aboutFile, checkKeyPermissions } from './files.ts'
import { IdentityKeeper } from './keeper.ts'
import type { Loaded, LoadReason } from './keeper.ts'
import {
  readBundleFile,
  readTrustFiles,
  trustFileNames,
  trustFilePaths,
  trustFolders,
} from './trust-files.ts'

const checkEveryMs = 2_000

const checkTrustDomain = (
  section: IdentitySection,
  development: DevelopmentSection,
  folder: string,
): string => {
  const trustDomain = trustDomainOfFolder(folder)
  const id = parseSpiffeId(development.spiffe_id)
  const problem = (got: string) =>
    new IdentityFileError({
      file: folder,
      expected: `the authority of ${id.trustDomain}`,
      got,
      fix: 'correct spiffe_id or trust_domain, or init the folder for that trust domain',
    })
  if (id.trustDomain !== trustDomain) throw problem(`the authority of ${trustDomain}`)
  if (section.trust_domain !== undefined && section.trust_domain !== trustDomain)
    throw problem(`trust_domain ${section.trust_domain}`)
  return trustDomain
}

const issue = (
  authority: Authority,
  development: DevelopmentSection,
  trust: TrustBundles,
  folder: string,
  options: SourceOptions,
): WorkloadIdentity => {
  const files = authorityFiles(folder)
  const now = options.clock.now()
  const issued = issueSvid(authority, {
    spiffeId: development.spiffe_id,
    dnsNames: development.dns_names,
    validity: validFor(now, development.lifetime),
  })
  return aboutFile(
    files.authority,
    `an authority that ${files.bundle} trusts`,
    'run `sallyport certs rotate`, or init again in an empty folder',
    () =>
      assembleIdentity(
        issued.chain,
        issued.privateKey,
        // Whether we are revoked is for our peers to say: our own CRL must not keep us from starting.
        { byTrustDomain: trust.byTrustDomain, revocation: 'not-configured' },
        now,
        folder,
      ),
  )
}

const loadDevelopment = (
  section: IdentitySection,
  development: DevelopmentSection,
  options: SourceOptions,
  last: Loaded | undefined,
  why: LoadReason,
): Loaded => {
  const folder = resolve(options.baseDirectory, development.path)
  const files = authorityFiles(folder)
  const trustDomain = checkTrustDomain(section, development, folder)
  const warning = checkKeyPermissions(files.key, section.key_files)
  const own = readBundleFile(files.bundle, trustDomain)
  const read = readTrustFiles(own, trustFilePaths(section, options.baseDirectory), last?.trust)
  const authority = openAuthority(folder)
  const same = last?.identity.chain[1]?.equals(authority.certificate.der) === true
  const identity =
    last && same && why === 'retry'
      ? last.identity
      : issue(authority, development, read.trust, folder, options)
  return {
    identity,
    trust: read.trust,
    identityKey: identity.thumbprint,
    trustKey: read.key,
    warnings: warning ? [{ file: files.key, detail: warning }] : [],
    ...(read.fault ? { fault: read.fault } : {}),
  }
}

/**
 * Opens the development authority as the source of identity.
 *
 * @param random gives numbers in [0, 1) for the jitter of renewals
 * @throws IdentityFileError when the folder was not initialised, or is of another trust domain
 */
export const openDevelopment = (
  section: IdentitySection,
  development: DevelopmentSection,
  options: SourceOptions & { readonly random: () => number },
): IdentityKeeper => {
  const folder = resolve(options.baseDirectory, development.path)
  const files = authorityFiles(folder)
  const paths = trustFilePaths(section, options.baseDirectory)
  return new IdentityKeeper({
    clock: options.clock,
    onEvent: (event) => options.onEvent(event),
    everyMs: Math.min(checkEveryMs, Math.max(100, development.lifetime / 10)),
    files: () => [files.bundle, files.authority, files.key, ...trustFileNames(paths)],
    folders: [folder, ...trustFolders(paths)],
    load: (last, why) => loadDevelopment(section, development, options, last, why),
    renewAt: ({ identity }) => renewalTime(identity.notBefore, identity.notAfter, options.random()),
  })
}
