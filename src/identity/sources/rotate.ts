/**
 * When to renew our certificate, and how long it still lives: for the development authority, for the warnings, and as
 * facts for telemetry and readiness. Renews nothing itself.
 */
import type { Live } from '../../live.ts'
import { longestDelayMs } from './clock.ts'
import type { Clock } from './clock.ts'
import type { TrustBundles } from '../trust-bundle.ts'
import type { WorkloadIdentity } from '../workload-identity.ts'

/**
 * The moment to renew: half of the life, moved by up to a tenth of that half either way, so that a fleet started
 * together does not renew together.
 *
 * @param random a number in [0, 1)
 */
export const renewalTime = (issuedAt: number, notAfter: number, random: number): number => {
  const half = Math.max(0, notAfter - issuedAt) / 2
  return issuedAt + half + half * 0.1 * (2 * random - 1)
}

/** Seconds to the end of one certificate, as a metric shows it. */
export interface ExpiryFact {
  readonly kind: 'svid' | 'authority'
  /** The SPIFFE ID of an SVID, or the trust domain of an authority. */
  readonly name: string
  readonly serial: string
  /** Negative after the end. */
  readonly secondsToExpiry: number
}

/** The ends of our certificate and of every trusted authority, soonest first. */
export const expiryFacts = (
  identity: WorkloadIdentity,
  trust: TrustBundles,
  now: number,
): readonly ExpiryFact[] => {
  const seconds = (notAfter: number) => Math.floor((notAfter - now) / 1000)
  const authorities = [...trust.byTrustDomain.values()].flatMap((bundle) =>
    bundle.authorities.map((authority) => ({
      kind: 'authority' as const,
      name: bundle.trustDomain,
      serial: authority.serial,
      secondsToExpiry: seconds(authority.notAfter),
    })),
  )
  const own = {
    kind: 'svid' as const,
    name: identity.spiffeId.uri,
    serial: identity.serial,
    secondsToExpiry: seconds(identity.notAfter),
  }
  return [own, ...authorities].sort((one, other) => one.secondsToExpiry - other.secondsToExpiry)
}

/** False once our own certificate is over: then we are not ready, and no call is made or taken with it. */
export const isCurrent = (identity: WorkloadIdentity, now: number): boolean =>
  now <= identity.notAfter

const thresholds = [50, 75, 90, 100]

/**
 * Says once for each certificate when 50, 75, 90 and 100 % of its life are gone without a renewal.
 *
 * @returns a function that stops the warnings
 */
export const watchExpiry = (
  identity: Live<WorkloadIdentity>,
  clock: Clock,
  onWarning: (percent: number, secondsLeft: number) => void,
): (() => void) => {
  let cancel: () => void = () => undefined
  const arm = (current: WorkloadIdentity, from: number): void => {
    cancel()
    const percent = thresholds[from]
    if (percent === undefined) return
    const life = current.notAfter - current.notBefore
    const due = current.notBefore + (life * percent) / 100
    const wait = due - clock.now()
    cancel = clock.after(Math.min(Math.max(wait, 0), longestDelayMs), () => {
      if (clock.now() < due) return arm(current, from)
      const passed = thresholds.findLastIndex(
        (one) => current.notBefore + (life * one) / 100 <= clock.now(),
      )
      onWarning(thresholds[passed]!, Math.floor((current.notAfter - clock.now()) / 1000))
      return arm(current, passed + 1)
    })
  }
  arm(identity.current, 0)
  const stop = identity.subscribe((next) => arm(next, 0))
  return () => {
    stop()
    cancel()
  }
}
