/**
 * Reads the files of an identity: bounded, with key permissions checked, and with errors that name the file and the fix.
 *
 * A file is read as one piece; whether several files fit together is judged by whoever joins them.
 */
import { createPrivateKey } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { IdentityError, IdentityFileError } from '../identity-error.ts'
import { DerError } from '../x509/der.ts'
import { readPemBlocks } from '../x509/pem.ts'

const maxFileBytes = 20 * 1024 * 1024

/** What may be done about a private key that others on the machine can read. */
export type KeyFilePolicy = 'private' | 'unsafe_readable'

const isMissing = (error: unknown): boolean =>
  (error as NodeJS.ErrnoException | null)?.code === 'ENOENT' ||
  (error as NodeJS.ErrnoException)?.code === 'ENOTDIR'

/** Marks an error of a missing file, which for a CRL means something else than a broken one. */
export const isMissingFile = (error: unknown): boolean =>
  error instanceof IdentityFileError && error.problem.got === 'no such file'

/** @throws IdentityFileError when the file is missing, unreadable, empty or too large */
export const readIdentityFile = (file: string, expected: string): Buffer => {
  const problem = (got: string, fix: string) => new IdentityFileError({ file, expected, got, fix })
  try {
    if (statSync(file).size > maxFileBytes)
      throw problem(`more than ${maxFileBytes} bytes`, 'check what was put there')
    const content = readFileSync(file)
    if (content.length === 0)
      throw problem('an empty file', 'write the whole file, then move it into place')
    return content
  } catch (error) {
    if (error instanceof IdentityFileError) throw error
    if (isMissing(error))
      throw problem('no such file', 'check the path, or run `sallyport certs init`')
    throw problem(
      (error as NodeJS.ErrnoException).code ?? 'an error',
      'let this user read the file',
    )
  }
}

/** Turns what a reader says about a file into an error that names the file. */
export const aboutFile = <T>(file: string, expected: string, fix: string, read: () => T): T => {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof IdentityError) && !(error instanceof DerError)) throw error
    throw new IdentityFileError({ file, expected, got: error.message, fix })
  }
}

/**
 * Refuses a private key that others can read, or that anyone but its owner can change. A group may read: that is how
 * Kubernetes hands files to a user that is not root.
 *
 * @returns a warning when the policy lets it pass
 */
export const checkKeyPermissions = (file: string, policy: KeyFilePolicy): string | undefined => {
  const modeOf = (path: string) => statSync(path, { throwIfNoEntry: false })?.mode ?? 0
  const mode = modeOf(file) & 0o777
  if ((mode & 0o027) === 0) {
    // World-writable without the sticky bit: anybody may put another key in its place.
    const open = (modeOf(dirname(file)) & 0o1002) === 0o002
    return open ? 'anybody can replace files in the folder of the private key' : undefined
  }
  const got = `mode ${mode.toString(8).padStart(4, '0')}`
  if (policy === 'unsafe_readable')
    return `the private key has ${got}: others can read or change it`
  throw new IdentityFileError({
    file,
    expected: 'a private key that only its owner can read (mode 0600, or 0440 with a group)',
    got,
    fix: `chmod 600 ${file}; in Kubernetes set defaultMode: 0440 on the volume`,
  })
}

const keyLabels = ['PRIVATE KEY', 'EC PRIVATE KEY', 'RSA PRIVATE KEY']

/** The one private key in a PEM text. @throws IdentityFileError */
export const privateKeyFrom = (content: Buffer, file: string): KeyObject => {
  const expected = 'one private key in pem'
  const text = content.toString('latin1')
  const fix = 'write the pkcs#8 key of this certificate'
  const problem = (got: string) => new IdentityFileError({ file, expected, got, fix })
  const blocks = aboutFile(file, expected, fix, () =>
    readPemBlocks(text, [...keyLabels, 'ENCRYPTED PRIVATE KEY']),
  )
  const [block] = blocks
  if (!block || blocks.length !== 1) throw problem(`${blocks.length} keys`)
  if (block.label === 'ENCRYPTED PRIVATE KEY') throw problem('an encrypted key')
  const type = (
    { 'PRIVATE KEY': 'pkcs8', 'EC PRIVATE KEY': 'sec1', 'RSA PRIVATE KEY': 'pkcs1' } as const
  )[block.label as 'PRIVATE KEY']
  try {
    return createPrivateKey({ key: block.der, format: 'der', type })
  } catch {
    throw problem('a key that does not parse')
  }
}

/** The certificates in a PEM text, DER, in order. @throws IdentityFileError */
export const chainFrom = (content: Buffer, file: string): readonly Buffer[] => {
  const expected = 'a certificate chain in pem, leaf first'
  const fix = 'write the certificate of this workload and its intermediates'
  const blocks = aboutFile(file, expected, fix, () =>
    readPemBlocks(content.toString('latin1'), ['CERTIFICATE']),
  )
  if (blocks.length === 0)
    throw new IdentityFileError({ file, expected, got: 'no certificate', fix })
  return blocks.map((block) => block.der)
}

/** Names, inodes, sizes and times of files: cheap to compare, and different after any write or symlink swap. */
export const stampOf = (files: readonly string[]): string =>
  files
    .map((file) => {
      try {
        const stat = statSync(file, { bigint: true })
        return `${file}:${stat.dev}:${stat.ino}:${stat.size}:${stat.mtimeNs}:${stat.ctimeNs}`
      } catch {
        return `${file}:absent`
      }
    })
    .join('\n')
