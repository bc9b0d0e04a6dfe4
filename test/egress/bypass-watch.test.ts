import { Writable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { watchBypass } from '../../src/compose/egress/bypass-watch.ts'
import type { ProcessFiles } from '../../src/egress/bypass/bypass-detector.ts'
import { openLog } from '../../src/telemetry/log.ts'
import { openMetrics } from '../../src/telemetry/metrics/instruments.ts'

const table = `head
   0: 0500000A:9C40 077100CB:01BB 01 00000000:00000000 00:00000000 00000000 1000 0 700 1
`
const texts: Readonly<Record<string, string>> = {
  '/proc/self/net/tcp': table,
  '/proc/17/comm': 'node\n',
}
const lists: Readonly<Record<string, readonly string[]>> = { '/proc': ['17'], '/proc/17/fd': ['8'] }
const missing = (): Promise<never> => Promise.reject(new Error('ENOENT'))
const files: ProcessFiles = {
  read: (path) => (path in texts ? Promise.resolve(texts[path]!) : missing()),
  list: (path) => (path in lists ? Promise.resolve(lists[path]!) : missing()),
  link: (path) => (path === '/proc/17/fd/8' ? Promise.resolve('socket:[700]') : missing()),
}

const watch = (mode: 'off' | 'report' | 'enforce', allow: readonly string[] = []) => {
  const lines: string[] = []
  const output = new Writable({
    write(chunk: Buffer, _, done) {
      lines.push(chunk.toString())
      done()
    },
  })
  const log = openLog({ level: 'info', decisions: 'none', fieldLength: 500, now: () => 0, output })
  const metrics = openMetrics({ target: {}, startTimeMs: 0 })
  const settings = { mode, every: 3_600_000, allow_cidrs: [...allow] }
  return { watch: watchBypass(settings, log, metrics, files), lines, metrics }
}

describe('the watch over connections past the sidecar', () => {
  it('fails readiness where it is enforced, and names process and address', async () => {
    const { watch: running, lines, metrics } = watch('enforce')
    await expect.poll(() => running.checks()[0]!.state).toBe('failed')
    expect(running.checks()[0]!.detail).toContain('node (17) to 203.0.113.7:443')
    await expect.poll(() => lines.join('')).toContain('203.0.113.7')
    expect(metrics.text()).toMatch(/sallyport_bypass_sockets(\{\})? 1/)
    running.close()
  })

  it('warns where it only reports, and says nothing of an allowed range', async () => {
    const { watch: reporting } = watch('report')
    await expect.poll(() => reporting.checks()[0]!.state).toBe('warning')
    const { watch: exempt } = watch('enforce', ['203.0.113.0/24'])
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(exempt.checks()[0]!.state).toBe('ok')
    reporting.close()
    exempt.close()
  })

  it('is silent where it is off', () => {
    expect(watch('off').watch.checks()).toEqual([])
  })
})
