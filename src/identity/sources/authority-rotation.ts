/**
 * Renews what the development authority issued: leaves, the intermediate, and the root in three steps.
 *
 * Each step leaves a folder in which everything verifies, so that no handshake fails while the parts follow one by one.
 */
import { existsSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { issueIntermediate, issueRoot, issueSvid, validFor } from '../authority.ts'
import { IdentityFileError } from '../identity-error.ts'
import {
  intermediateLifetimeMs,
  leafOf,
  names,
  openAuthority,
  openRoot,
  pemOf,
  readAuthority,
  rootLifetimeMs,
  saveAuthority,
  saveLeaf,
  trustDomainOfFolder,
  workloadFolders,
  writeInOneStep,
  writeRevocationLists,
} from './authority-folder.ts'

/** Issues every workload of the folder again, with the same ids, DNS names and length of life, and fresh keys. */
export const rotateIdentities = (folder: string, now: number): readonly string[] => {
  const authority = openAuthority(folder)
  writeRevocationLists(folder, now)
  return workloadFolders(folder).map((target) => {
    const old = leafOf(target)
    const uri = old.names.find((name) => name.kind === 'uri')
    const spiffeId = uri && 'text' in uri ? uri.text : ''
    const issued = issueSvid(authority, {
      spiffeId,
      dnsNames: old.names.flatMap((name) => (name.kind === 'dns' ? [name.text] : [])),
      validity: validFor(now, Math.max(old.notAfter - old.notBefore - 60_000, 60_000)),
    })
    saveLeaf(folder, target, issued)
    return spiffeId
  })
}

/** A new intermediate under the same root, and every workload issued again. */
export const rotateIntermediate = (folder: string, now: number): readonly string[] => {
  const trustDomain = trustDomainOfFolder(folder)
  const made = issueIntermediate(
    openRoot(folder),
    trustDomain,
    validFor(now, intermediateLifetimeMs),
    `intermediate ${now}`,
  )
  saveAuthority(folder, made, names.authority, names.authorityKey)
  return rotateIdentities(folder, now)
}

const writeBundle = (folder: string, roots: readonly Buffer[]): void => {
  const text = pemOf(roots)
  writeInOneStep(join(folder, names.bundle), text, 0o644)
  for (const target of workloadFolders(folder)) writeInOneStep(join(target, 'ca.crt'), text, 0o644)
}

/**
 * Changes the root in three steps, so that no handshake fails in between: `prepare` makes a new root and adds it to the
 * bundle; `activate`, once everybody has read the bundle, issues from it; `retire`, once every leaf is renewed, takes
 * the old root out.
 *
 * @throws IdentityFileError when a step is taken out of order
 */
export const rotateRoot = (
  folder: string,
  step: 'prepare' | 'activate' | 'retire',
  now: number,
): void => {
  const root = openRoot(folder)
  const next = join(folder, names.nextRoot)
  const prepared = existsSync(next)
  const outOfOrder = (expected: string, got: string, fix: string) =>
    new IdentityFileError({ file: next, expected, got, fix })
  if (step === 'prepare') {
    if (prepared) throw outOfOrder('no next root yet', 'one that waits', 'activate it first')
    const made = issueRoot(
      trustDomainOfFolder(folder),
      validFor(now, rootLifetimeMs),
      `root ${now}`,
    )
    saveAuthority(folder, made, names.nextRoot, names.nextRootKey)
    writeBundle(folder, [root.certificate.der, made.certificate.der])
    return
  }
  if (step === 'activate') {
    if (!prepared) throw outOfOrder('a next root', 'none', 'prepare it first')
    readAuthority(folder, names.nextRoot, names.nextRootKey, 'root')
    renameSync(join(folder, names.nextRootKey), join(folder, names.rootKey))
    renameSync(next, join(folder, names.root))
    rotateIntermediate(folder, now)
    return
  }
  if (prepared) throw outOfOrder('no root that waits', 'one', 'activate it first')
  writeBundle(folder, [root.certificate.der])
  rmSync(join(folder, names.nextRootKey), { force: true })
}
