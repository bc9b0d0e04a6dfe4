/**
 * Checks that the certificate, the key and the bundle of a directory source can be read and belong together.
 *
 * A first look for people at start and in `sallyport check`; the identity source judges again, by the whole SPIFFE
 * standard, each time it loads.
 */
import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { ConfigFault, Path } from '../read/fault.ts'
import type { CheckSubject } from './check.ts'

const where: Path = ['identity', 'source', 'directory']

/** What is wrong with the files of a directory source; nothing for any other source. */
export const checkCertificates = (subject: CheckSubject, now: number): readonly ConfigFault[] => {
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
