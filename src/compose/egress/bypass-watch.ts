/** Looks for connections past the sidecar from time to time; tells each once, counts them, and may fail readiness. */
import { BlockList, isIPv6 } from 'node:net'
import type { EgressSection } from '../../egress/section.ts'
import {
  findBypasses,
  type Bypass,
  type ProcessFiles,
} from '../../egress/bypass/bypass-detector.ts'
import type { HealthCheck } from '../../listeners/health.ts'
import type { Log } from '../../telemetry/log.ts'
import type { Metrics } from '../../telemetry/metrics/instruments.ts'

/** The running watch. */
export interface BypassWatch {
  /** What was found at the last look. */
  readonly found: () => readonly Bypass[]
  readonly checks: () => readonly HealthCheck[]
  close(): void
}

const mostTold = 1_000

/** Starts it; does nothing where it is off. */
export const watchBypass = (
  settings: EgressSection['bypass'],
  log: Log,
  metrics: Metrics,
  files?: ProcessFiles,
): BypassWatch => {
  let found: readonly Bypass[] = []
  if (settings.mode === 'off') {
    return { found: () => found, checks: () => [], close: () => undefined }
  }
  const told = new Set<string>()
  const exempt = rangesOf(settings.allow_cidrs)
  const look = async (): Promise<void> => {
    found = await findBypasses(exempt, files)
    for (const { address, port, process } of found) {
      const key = `${process} ${address} ${port}`
      if (told.has(key) || told.size >= mostTold) continue
      told.add(key)
      log.warn('a connection leaves without passing the sidecar', { address, port, process })
    }
  }
  const safely = (): void => {
    look().catch((thrown: unknown) =>
      log.warn('the sockets cannot be read', { fault: String(thrown) }),
    )
  }
  metrics.observe('bypassSockets', () => [[found.length]])
  safely()
  const timer = setInterval(safely, settings.every)
  timer.unref()
  return {
    found: () => found,
    close: () => clearInterval(timer),
    checks: () => [checkOf(found, settings.mode === 'enforce' ? 'failed' : 'warning')],
  }
}

const rangesOf = (cidrs: readonly string[]): ((address: string) => boolean) => {
  const ranges = new BlockList()
  for (const cidr of cidrs) {
    const [base = '', bits = ''] = cidr.split('/')
    ranges.addSubnet(base, Number(bits), isIPv6(base) ? 'ipv6' : 'ipv4')
  }
  return (address) => ranges.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')
}

const checkOf = (found: readonly Bypass[], state: 'failed' | 'warning'): HealthCheck => {
  const first = found[0]
  return first === undefined
    ? { name: 'bypass', state: 'ok' }
    : {
        name: 'bypass',
        state,
        detail: `${found.length} connections leave without passing here, such as ${first.process} to ${first.address}:${first.port}`,
      }
}
