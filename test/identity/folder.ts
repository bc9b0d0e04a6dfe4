/** Folders of certificates for tests, and the source that reads them under a held clock. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { validFor } from '../../src/identity/authority.ts'
import { certificatePem } from '../../src/identity/certificate.ts'
import { identitySection } from '../../src/identity/section.ts'
import type { IdentityEvent, IdentitySource } from '../../src/identity/sources/identity-source.ts'
import { openIdentity } from '../../src/identity/sources/open.ts'
import { aTrustDomain } from '../support/certificates.ts'
import type { TrustDomain } from '../support/certificates.ts'
import { HeldClock } from '../support/held-clock.ts'

export const hour = 3_600_000
export const closers: (() => void)[] = []

/** Closes and removes what the test made. */
export const closeAll = (): void => {
  for (const close of closers.splice(0)) close()
}

export const aFolder = (): string => {
  const folder = mkdtempSync(join(tmpdir(), 'identity-'))
  closers.push(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

export const pem = (ders: readonly Buffer[]): string =>
  ders.map((der) => certificatePem(der)).join('')
export const shop = aTrustDomain('shop.local')
export const partner = aTrustDomain('partner.example')

/** The files of one identity, by what they hold. */
export const materialOf = (domain: TrustDomain, path = '/orders', lifetimeMs = hour) => {
  const issued = domain.svid(path, validFor(Date.now(), lifetimeMs))
  return {
    chain: pem(issued.chain),
    key: issued.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
    bundle: pem([domain.root.certificate.der]),
  }
}

export const put = (folder: string, name: string, content: string, mode = 0o600): void => {
  writeFileSync(join(folder, name), content)
  chmodSync(join(folder, name), mode)
}

export const putAll = (folder: string, material = materialOf(shop)): void => {
  put(folder, 'tls.crt', material.chain)
  put(folder, 'tls.key', material.key)
  put(folder, 'ca.crt', material.bundle)
}

export interface Opened {
  readonly source: IdentitySource
  readonly clock: HeldClock
  readonly events: IdentityEvent[]
}

export const open = async (
  folder: string,
  extra: Record<string, unknown> = {},
  directory: Record<string, unknown> = {},
): Promise<Opened> => {
  const section = identitySection.parse({
    source: { directory: { path: folder, ...directory } },
    ...extra,
  })
  const clock = new HeldClock()
  const events: IdentityEvent[] = []
  const source = await openIdentity(section, {
    clock,
    random: () => 0.5,
    baseDirectory: folder,
    onEvent: (event) => events.push(event),
  })
  closers.push(() => source.close())
  return { source, clock, events }
}

export const look = ({ clock }: Opened): void => clock.advance(2_000)
