/**
 * Checks that certificates, keys, bundles and revocation lists can be read and belong together.
 *
 * A first look for people at start and in `sallyport check`; the identity source judges again, by the whole SPIFFE
 * standard, each time it loads.
 */
import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { IdentityFileError } from '../../identity/identity-error.ts'
import { openAuthority, trustDomainOfFolder } from '../../identity/sources/authority-folder.ts'
import { readBundleFile } from '../../identity/sources/trust-files.ts'
import { readRevocationLists } from '../../identity/x509/crl.ts'
import type { ConfigFault, Path } from '../read/fault.ts'
import type { CheckSubject } from './check.ts'

const where: Path = ['identity', 'source', 'directory']

/** What is wrong with the files of the identity section. */
export const checkCertificates = (subject: CheckSubject, now: number): readonly ConfigFault[] => [
  ...directoryFaults(subject, now),
  ...developmentFaults(subject),
  ...bundleFaults(subject),
  ...crlFaults(subject),
]

/** Runs a reader of the identity library and says what it throws at the setting that names the file. */
const told = (subject: CheckSubject, path: Path, read: () => void): readonly ConfigFault[] => {
  try {
    read()
    return []
  } catch (error) {
    if (!(error instanceof IdentityFileError)) {
      const got = error instanceof Error ? error.message : String(error)
      return [
        subject.fault(path, { expected: 'a file that can be read', got, hint: 'write it again' }),
      ]
    }
    const { expected, file, fix, got } = error.problem
    return [subject.fault(path, { expected, got: `${got} in ${file}`, hint: fix })]
  }
}

const developmentFaults = (subject: CheckSubject): readonly ConfigFault[] => {
  const source = subject.config.identity?.source.development
  if (!source) return []
  const at = ['identity', 'source', 'development']
  const unreadable = told(subject, [...at, 'path'], () => openAuthority(source.path))
  if (unreadable.length > 0) return unreadable
  const trustDomain = trustDomainOfFolder(source.path)
  if (source.spiffe_id.startsWith(`spiffe://${trustDomain}/`)) return []
  return [
    subject.fault([...at, 'spiffe_id'], {
      expected: `an identity of ${trustDomain}, whose authority is in ${source.path}`,
      got: source.spiffe_id,
      hint: `write spiffe://${trustDomain}/…, or name the folder of another authority`,
    }),
  ]
}

const bundleFaults = (subject: CheckSubject): readonly ConfigFault[] =>
  (subject.config.identity?.bundles ?? []).flatMap(({ file, trust_domain }, index) =>
    existsSync(file)
      ? told(subject, ['identity', 'bundles', index, 'file'], () =>
          readBundleFile(file, trust_domain),
        )
      : [],
  )

const crlFaults = (subject: CheckSubject): readonly ConfigFault[] =>
  (subject.config.identity?.crl?.files ?? []).flatMap((file, index) =>
    existsSync(file)
      ? told(subject, ['identity', 'crl', 'files', index], () =>
          readRevocationLists(readFileSync(file), file),
        )
      : [],
  )

const directoryFaults = (subject: CheckSubject, now: number): readonly ConfigFault[] => {
  const source = subject.config.identity?.source.directory
  if (!source) return []
  const faults: ConfigFault[] = []
  const read = <T>(setting: string, file: string, what: string, parse: (pem: string) => T) => {
    try {
      return parse(readFileSync(resolve(source.path, file), 'utf8'))
    } catch (error) {
      const missing = (error as NodeJS.ErrnoException).code === 'ENOENT'
      faults.push(
        subject.fault([...where, setting], {
          expected: what,
          got: missing ? `${file}, which does not exist` : `${file}, which cannot be read as one`,
          hint: missing
            ? `put the file in ${source.path}, or name the one that is there`
            : `check that ${file} is PEM text`,
        }),
      )
      return undefined
    }
  }
  const bundled = source.credential_bundle
  const certificate = read(
    bundled ? 'credential_bundle' : 'certificate',
    bundled ?? source.certificate,
    'a PEM certificate',
    (pem) => new X509Certificate(pem.slice(Math.max(pem.indexOf('-----BEGIN CERTIFICATE'), 0))),
  )
  const key = read(
    bundled ? 'credential_bundle' : 'key',
    bundled ?? source.key,
    'a PEM private key',
    (pem) => createPrivateKey(pem),
  )
  if (!source.bundle.endsWith('.json')) {
    read('bundle', source.bundle, 'a PEM trust bundle', (pem) => new X509Certificate(pem))
  }
  if (certificate && key) faults.push(...together(subject, certificate, key, now))
  return faults
}

const together = (
  subject: CheckSubject,
  certificate: X509Certificate,
  key: KeyObject,
  now: number,
): readonly ConfigFault[] => {
  const source = subject.config.identity!.source.directory!
  const faults: ConfigFault[] = []
  if (!certificate.checkPrivateKey(key)) {
    faults.push(
      subject.fault([...where, source.credential_bundle ? 'credential_bundle' : 'key'], {
        expected: 'the private key of the certificate',
        got: 'the key of another certificate',
        hint: 'issue the certificate again, or put the key beside it that it was issued for',
      }),
    )
  }
  if (certificate.validToDate.getTime() <= now) {
    faults.push(
      subject.fault([...where, source.credential_bundle ? 'credential_bundle' : 'certificate'], {
        expected: 'a certificate that is valid now',
        got: `one that expired at ${certificate.validToDate.toISOString()}`,
        hint: 'renew the certificate',
      }),
    )
  }
  return faults
}
