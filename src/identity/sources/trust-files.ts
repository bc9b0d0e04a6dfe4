/**
 * The trust that comes from files beside any source: bundles of foreign trust domains, and CRLs.
 *
 * A CRL file that is gone makes the lists unusable, so that everybody is refused; one that became unreadable keeps its
 * last good content until that is stale. At start both are errors.
 */
import { createHash } from 'node:crypto'
import { dirname, resolve } from 'node:path'
import { readRevocationLists } from '../x509/crl.ts'
import type { RevocationList, RevocationLists } from '../x509/crl.ts'
import { IdentityFileError } from '../identity-error.ts'
import type { IdentitySection } from '../section.ts'
import { readBundle, trustIn } from '../trust-bundle.ts'
import type { TrustBundle, TrustBundles } from '../trust-bundle.ts'
import { aboutFile, isMissingFile, readIdentityFile } from './files.ts'

/** The trust read from files, with a text that changes when it does. */
export interface TrustFiles {
  readonly trust: TrustBundles
  readonly key: string
  readonly fault?: IdentityFileError
}

/** Which files to read, with absolute paths. */
export interface TrustFilePaths {
  readonly bundles: readonly { readonly trustDomain: string; readonly file: string }[]
  readonly lists: readonly string[]
  readonly maxAgeMs: number
}

/** The files that the section names, from `baseDirectory`. */
export const trustFilePaths = (
  section: IdentitySection,
  baseDirectory: string,
): TrustFilePaths => ({
  bundles: section.bundles.map((bundle) => ({
    trustDomain: bundle.trust_domain,
    file: resolve(baseDirectory, bundle.file),
  })),
  lists: (section.crl?.files ?? []).map((file) => resolve(baseDirectory, file)),
  maxAgeMs: section.crl?.max_age ?? 0,
})

export const trustFileNames = (paths: TrustFilePaths): readonly string[] => [
  ...paths.bundles.map((bundle) => bundle.file),
  ...paths.lists,
]

export const trustFolders = (paths: TrustFilePaths): readonly string[] =>
  trustFileNames(paths).map((file) => dirname(file))

/** Reads one bundle file. @throws IdentityFileError */
export const readBundleFile = (file: string, trustDomain: string): TrustBundle => {
  const expected = `the trust bundle of ${trustDomain}`
  const content = readIdentityFile(file, expected)
  const fix = 'write its authorities as pem certificates, or as a spiffe bundle document'
  const bundle = aboutFile(file, expected, fix, () => readBundle(content, trustDomain))
  if (bundle.authorities.length === 0)
    throw new IdentityFileError({ file, expected, got: 'no x.509 authority', fix })
  return bundle
}

const bundleKey = (bundle: TrustBundle): string =>
  [
    bundle.trustDomain,
    ...bundle.authorities.map((authority) => authority.thumbprint),
    JSON.stringify([...bundle.jwtAuthorities]),
  ].join(' ')

const listKey = (list: RevocationList): string =>
  `${list.file} ${createHash('sha256').update(list.signed).update(list.signature).digest('base64url')}`

interface ListsRead {
  readonly revocation: RevocationLists
  readonly fault?: IdentityFileError
}

const readLists = (paths: TrustFilePaths, last: RevocationLists | undefined): ListsRead => {
  const lists: RevocationList[] = []
  const unusable: { file: string; reason: string }[] = []
  let fault: IdentityFileError | undefined
  for (const file of paths.lists) {
    const expected = 'a crl in pem or der'
    try {
      const content = readIdentityFile(file, expected)
      const fix = 'fetch the crl again from its authority'
      lists.push(...aboutFile(file, expected, fix, () => readRevocationLists(content, file)))
    } catch (error) {
      if (!(error instanceof IdentityFileError) || last === undefined) throw error
      fault ??= error
      const kept = last.lists.filter((list) => list.file === file)
      if (isMissingFile(error) || kept.length === 0)
        unusable.push({ file, reason: error.problem.got })
      else lists.push(...kept)
    }
  }
  return { revocation: { lists, unusable, maxAgeMs: paths.maxAgeMs }, ...(fault ? { fault } : {}) }
}

/**
 * Reads the foreign bundles and CRLs and joins them with our own bundle.
 *
 * @param last the trust in force, or undefined at start, when any fault is thrown
 * @throws IdentityFileError
 */
export const readTrustFiles = (
  own: TrustBundle,
  paths: TrustFilePaths,
  last: TrustBundles | undefined,
): TrustFiles => {
  const foreign = paths.bundles.map(({ trustDomain, file }) => {
    if (trustDomain === own.trustDomain)
      throw new IdentityFileError({
        file,
        expected: 'the bundle of a foreign trust domain',
        got: `our own trust domain ${trustDomain}`,
        fix: 'remove it from bundles: our own bundle comes with our identity',
      })
    return readBundleFile(file, trustDomain)
  })
  const bundles = [own, ...foreign]
  const keys = bundles.map(bundleKey)
  if (paths.lists.length === 0) return { trust: trustIn(bundles), key: keys.join('\n') }
  const before = last && last.revocation !== 'not-configured' ? last.revocation : undefined
  const { revocation, fault } = readLists(paths, before)
  const key = [
    ...keys,
    ...revocation.lists.map(listKey),
    ...revocation.unusable.map((one) => `unusable ${one.file} ${one.reason}`),
  ].join('\n')
  return { trust: trustIn(bundles, revocation), key, ...(fault ? { fault } : {}) }
}
