/** The identity in a folder that `sallyport certs issue` wrote, for whoever has to sign like that workload. */
import { systemClock } from '../src/identity/sources/clock.ts'
import { openIdentity } from '../src/identity/sources/open.ts'
import { identitySection } from '../src/identity/section.ts'
import type { WorkloadIdentity } from '../src/identity/workload-identity.ts'

/** Reads it once. */
export const identityOf = async (folder: string): Promise<WorkloadIdentity> => {
  const source = await openIdentity(
    identitySection.parse({ source: { directory: { path: folder } } }),
    { clock: systemClock, random: Math.random, baseDirectory: '.', onEvent: () => undefined },
  )
  source.close()
  return source.identity.current
}
