/**
 * The certificates that CONNECT is opened up with: an authority for the intercepted hosts alone, in memory, made anew
 * before it ends and when the hosts change; its certificate is written for the trust store of the app.
 *
 * The file holds the authority in force and those before it that are still valid, so that a renewal breaks no app.
 */
import { renameSync, writeFileSync } from 'node:fs'
import { createSecureContext, rootCertificates, type SecureContext } from 'node:tls'
import type { Catalog } from '../../catalog/catalog.ts'
import {
  issueInterceptionAuthority,
  issueServerCertificate,
  validFor,
  type Authority,
} from '../../identity/authority.ts'
import { certificatePem } from '../../identity/certificate.ts'
import type { Live } from '../../live.ts'
import type { Log } from '../../telemetry/log.ts'

/** What it is made of. */
export interface InterceptionParts {
  readonly catalog: Live<Catalog>
  readonly caFile: string | undefined
  readonly bundleFile: string | undefined
  /** Life of the authority in milliseconds; it is replaced at half of it. */
  readonly lifetimeMs: number
  readonly now: () => number
  readonly log: Log
}

/** Opens up CONNECT. */
export interface Interception {
  /** The TLS context for one intercepted host. */
  readonly contextFor: (host: string) => SecureContext
  /** Makes a new authority when the hosts changed or the old one is half way through its life. */
  renew(): void
  close(): void
}

const mostLeaves = 1_000
const checkMs = 60_000

/** Makes it, and writes the files. */
export const openInterception = (parts: InterceptionParts): Interception => {
  let authority: Authority | undefined
  let earlier: readonly Authority[] = []
  let hosts = ''
  const leaves = new Map<string, SecureContext>()

  const write = (): void => {
    const pems = [authority, ...earlier]
      .filter((one) => one !== undefined)
      .map((one) => certificatePem(one.certificate.der))
    try {
      if (parts.caFile !== undefined) replace(parts.caFile, pems.join(''))
      if (parts.bundleFile !== undefined)
        replace(parts.bundleFile, [...rootCertificates.map((pem) => `${pem}\n`), ...pems].join(''))
    } catch (thrown) {
      parts.log.error('the authority of interception cannot be written for the app', {
        fault: String(thrown),
      })
    }
  }

  const renew = (): void => {
    const now = parts.now()
    const wanted = interceptedHosts(parts.catalog.current)
    const names = wanted.join(' ')
    const isYoung =
      authority !== undefined && authority.certificate.notAfter - now > parts.lifetimeMs / 2
    if (wanted.length === 0 || (isYoung && names === hosts)) return
    earlier = [authority, ...earlier]
      .filter((one) => one !== undefined)
      .filter((one) => one.certificate.notAfter > now)
      .slice(0, 4)
    authority = issueInterceptionAuthority(wanted, validFor(now, parts.lifetimeMs))
    hosts = names
    leaves.clear()
    write()
  }

  renew()
  const timer = setInterval(renew, checkMs)
  timer.unref()
  return {
    renew,
    close: () => clearInterval(timer),
    contextFor: (host) => {
      const known = leaves.get(host)
      if (known !== undefined) return known
      renew()
      if (authority === undefined) throw new Error(`${host} is not intercepted`)
      if (leaves.size >= mostLeaves) leaves.clear()
      const made = contextOf(authority, host, parts)
      leaves.set(host, made)
      return made
    },
  }
}

const contextOf = (
  authority: Authority,
  host: string,
  { now, lifetimeMs }: InterceptionParts,
): SecureContext => {
  const { chain, privateKey } = issueServerCertificate(authority, {
    hosts: [host],
    validity: validFor(now(), lifetimeMs),
  })
  return createSecureContext({
    cert: chain.map((der) => certificatePem(der)).join(''),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    minVersion: 'TLSv1.2',
  })
}

/** The names of all intercepted hosts, sorted; a wildcard stands for what is below its name. */
const interceptedHosts = ({ entries }: Catalog): readonly string[] =>
  [
    ...new Set(
      entries
        .filter((entry) => entry.connect === 'intercept')
        .flatMap((entry) => entry.hosts)
        .filter(({ kind }) => kind !== 'address')
        .map(({ host }) => host),
    ),
  ].toSorted()

const replace = (path: string, text: string): void => {
  writeFileSync(`${path}.new`, text, { mode: 0o644 })
  renameSync(`${path}.new`, path)
}
