import { open, readFile, rm, stat, writeFile } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Line } from '../../src/telemetry/audit/chain.ts'
import { trailFiles } from '../../src/telemetry/audit/audit-file.ts'
import { openAudit } from '../../src/telemetry/audit/open-audit.ts'
import { verifyAudit } from '../../src/telemetry/audit/verify-audit.ts'
import { telemetrySection } from '../../src/telemetry/section.ts'
import { aTrail, decisionOf } from './audit-trail.ts'
import type { TestTrail } from './audit-trail.ts'

let trail: TestTrail
beforeEach(async () => {
  trail = await aTrail()
})
afterEach(() => trail.remove())

const verify = () => verifyAudit(trail.path, { trust: 'any' })
const read = async (): Promise<Line[]> =>
  (await trail.lines()).map((line) => JSON.parse(line) as Line)
const until = async (predicate: () => boolean): Promise<void> => {
  while (!predicate()) await new Promise((resolve) => setTimeout(resolve, 5))
}

/** A disk with so much room: a write that needs more lands in part and then fails. */
const aDisk = (room: number) => {
  const disk = { room, full: 'ENOSPC: no space left on device' }
  const openOn = async (path: string): Promise<FileHandle> => {
    const handle = await open(path, 'r+').catch(() => open(path, 'wx+'))
    return new Proxy(handle, {
      get(target, name) {
        if (name === 'write') {
          return async (bytes: Buffer, offset: number, length: number, position: number) => {
            const fits = Math.min(length, disk.room)
            if (fits > 0) await target.write(bytes, offset, fits, position)
            disk.room -= fits
            if (fits < length) throw Object.assign(new Error(disk.full), { code: 'ENOSPC' })
            return { bytesWritten: fits, buffer: bytes }
          }
        }
        const value: unknown = Reflect.get(target, name)
        return typeof value === 'function' ? (value.bind(target) as unknown) : value
      },
    })
  }
  return { disk, open: openOn }
}

describe('what is recorded', () => {
  it.each([
    ['denials', ['deny', 'would-deny', 'egress allow']],
    ['all', ['allow', 'deny', 'would-deny', 'egress allow']],
  ] as const)('%s keeps %j', async (decisions, kept) => {
    const audit = trail.open({ decisions })
    const results = [
      audit.record(decisionOf(0, { line: 'inbound', decision: 'allow', code: 'allow' })),
      audit.record(decisionOf(1, { line: 'inbound', decision: 'deny', code: 'deny' })),
      audit.record(decisionOf(2, { line: 'inbound', decision: 'would-deny', code: 'would-deny' })),
      audit.record(decisionOf(3, { line: 'egress', decision: 'allow', code: 'egress allow' })),
    ]
    await audit.close()
    const codes = (await read()).flatMap((line) => ('record' in line ? [line.record.code] : []))
    expect(codes).toEqual(kept)
    expect(results.filter((result) => result === 'queued')).toHaveLength(kept.length)
    expect(audit.recent().map(({ id }) => id)).toEqual(
      [3, 2, 1, 0].map((index) => decisionOf(index).id),
    )
  })

  it('is nothing without a file, but the page still sees the last decisions', () => {
    const section = telemetrySection.parse({}).audit
    const audit = openAudit({ section, recent: 3, now: Date.now, sign: trail.workload.sign })
    for (let index = 0; index < 20; index += 1)
      expect(audit.record(decisionOf(index))).toBe('skipped')
    expect(audit.recent().map(({ id }) => id)).toEqual(
      [19, 18, 17].map((index) => decisionOf(index).id),
    )
    expect(audit.accepts).toBe(true)
  })

  it('is short and printable, whatever a stranger put into a field', async () => {
    const audit = trail.open()
    audit.record(decisionOf(0, { host: `\u001b[2J.${'h'.repeat(10_000)}` }))
    await audit.close()
    const [record] = (await read()).flatMap((line) => ('record' in line ? [line.record] : []))
    expect(record!.host).toHaveLength(262)
    expect(record!.host!.startsWith(String.raw`\u001b[2J.hhh`)).toBe(true)
  })

  it('lies in a file that only its owner reads', async () => {
    const audit = trail.open()
    audit.record(decisionOf(0))
    await audit.close()
    expect((await stat(trail.path)).mode & 0o777).toBe(0o600)
  })
})

describe('the queue', () => {
  it('drops its oldest records when it is full, counts them, and the trail says how many', async () => {
    const audit = trail.open({ queue: 5 })
    for (let index = 0; index < 12; index += 1) audit.record(decisionOf(index))
    expect(audit.state()).toMatchObject({ queued: 5, dropped: 7 })
    await audit.close()
    const report = await verify()
    expect(report).toMatchObject({ verdict: 'intact', records: 5, dropped: 7 })
    const ids = (await read()).flatMap((line) => ('record' in line ? [line.record.id] : []))
    expect(ids).toEqual([7, 8, 9, 10, 11].map((index) => decisionOf(index).id))
    expect(audit.state()).toMatchObject({ written: 5, dropped: 7, queued: 0 })
  })

  it('is bounded in bytes too', async () => {
    const audit = trail.open({ queue_size: '4KiB' })
    for (let index = 0; index < 100; index += 1) audit.record(decisionOf(index))
    expect(audit.state().queued).toBeLessThan(10)
    expect(audit.state().queued + audit.state().dropped).toBe(100)
    await audit.close()
  })

  it('goes to the disk in batches', async () => {
    const audit = trail.open({ batch: 10 })
    for (let index = 0; index < 95; index += 1) audit.record(decisionOf(index))
    await audit.close()
    expect(await verify()).toMatchObject({ verdict: 'intact', records: 95, seals: 10 })
  })
})

describe('a full disk', () => {
  it('never throws, keeps what fits the queue, and writes it once there is room', async () => {
    const { disk, open: openOn } = aDisk(1_500)
    const faults: (string | undefined)[] = []
    const audit = trail.open(
      { queue: 20 },
      { open: openOn, onFault: (fault) => faults.push(fault) },
    )
    audit.record(decisionOf(0))
    await audit.flush()
    for (let index = 1; index < 40; index += 1) {
      audit.record(decisionOf(index))
      if (index % 10 === 0) await audit.flush()
    }
    await until(() => !audit.state().healthy)
    expect(faults).toEqual(['ENOSPC: no space left on device'])
    expect(audit.state()).toMatchObject({
      healthy: false,
      fault: 'ENOSPC: no space left on device',
    })
    expect(audit.accepts).toBe(true)
    expect(await verify()).toMatchObject({ verdict: 'intact' })
    disk.room = 10_000_000
    await until(() => audit.state().healthy && audit.state().queued === 0)
    await audit.close()
    const { written, dropped } = audit.state()
    expect(written + dropped).toBe(40)
    expect(await verify()).toMatchObject({ verdict: 'intact', records: written, dropped })
    expect(faults.at(-1)).toBeUndefined()
  })

  it('refuses requests while records are required, and accepts them again', async () => {
    const { disk, open: openOn } = aDisk(0)
    const audit = trail.open({ required: true, queue: 3 }, { open: openOn })
    expect(audit.accepts).toBe(true)
    audit.record(decisionOf(0))
    await until(() => !audit.accepts)
    audit.record(decisionOf(1))
    audit.record(decisionOf(2))
    const last = [audit.record(decisionOf(3)), audit.record(decisionOf(4))]
    expect(last).toContain('dropped')
    disk.room = 10_000_000
    await until(() => audit.accepts)
    await audit.close()
    const ids = (await read()).flatMap((line) => ('record' in line ? [line.record.id] : []))
    expect(ids.slice(0, 3)).toEqual([0, 1, 2].map((index) => decisionOf(index).id))
    expect((await verify()).verdict).toBe('intact')
  })

  it('refuses when the queue is full and records are required, and drops none that it took', async () => {
    const audit = trail.open({ required: true, queue: 2, delay: '1h' })
    await audit.flush()
    expect([0, 1, 2].map((index) => audit.record(decisionOf(index)))).toEqual([
      'queued',
      'queued',
      'dropped',
    ])
    expect(audit.accepts).toBe(false)
    await audit.flush()
    expect(audit.accepts).toBe(true)
    await audit.close()
    expect(await verify()).toMatchObject({ records: 2, dropped: 1 })
    expect(audit.accepts).toBe(false)
  })

  it('a folder that is not there is a fault, not a crash', async () => {
    const audit = trail.open({ file: `${trail.path}.absent/audit.jsonl`, required: true })
    audit.record(decisionOf(0))
    await until(() => !audit.accepts)
    expect(audit.state().fault).toContain('ENOENT')
    await audit.close()
    expect(audit.state()).toMatchObject({ written: 0, dropped: 1, queued: 0 })
  })
})

describe('a file that someone else touches while it is written', () => {
  it('is begun anew when it was removed, and the trail tells of the gap', async () => {
    const audit = trail.open()
    audit.record(decisionOf(0))
    await audit.flush()
    await rm(trail.path)
    audit.record(decisionOf(1))
    await until(() => audit.state().written === 2)
    await audit.close()
    const report = await verify()
    expect(report.findings.map(({ kind }) => kind)).toContain('gap')
    expect(report.records).toBe(1)
  })

  it('is continued when it was shortened, and the trail tells of the gap', async () => {
    const audit = trail.open()
    for (let index = 0; index < 5; index += 1) audit.record(decisionOf(index))
    await audit.flush()
    await trail.write((await trail.lines()).slice(0, 3))
    audit.record(decisionOf(5))
    await until(() => audit.state().written === 6)
    await audit.close()
    expect((await verify()).findings.map(({ kind }) => kind)).toContain('gap')
  })

  it('is continued behind another writer, without overwriting it', async () => {
    const one = trail.open()
    one.record(decisionOf(0))
    await one.flush()
    const two = trail.open()
    two.record(decisionOf(1))
    await two.flush()
    one.record(decisionOf(2))
    await until(() => one.state().written === 2)
    await Promise.all([one.close(), two.close()])
    expect(await verify()).toMatchObject({ verdict: 'intact', records: 3 })
  })
})

describe('large trails', () => {
  it('go on in a new file, in one chain', async () => {
    const audit = trail.open({ rotate_size: '4KiB', batch: 4 })
    for (let index = 0; index < 60; index += 1) audit.record(decisionOf(index))
    await audit.close()
    const files = await trailFiles(trail.path)
    expect(files.length).toBeGreaterThan(3)
    const report = await verify()
    expect(report).toMatchObject({
      verdict: 'intact',
      findings: [],
      notes: [],
      records: 60,
      first: 0,
    })
    expect(report.files).toEqual(files)
    await rm(files[1]!)
    const broken = await verify()
    expect(broken.findings.map(({ kind, file }) => [kind, file])).toEqual([['removed', files[2]]])
  })

  it('keep so many old files, and a trail that starts later says so', async () => {
    const audit = trail.open({ rotate_size: '2KiB', batch: 2, keep: 2 })
    for (let index = 0; index < 60; index += 1) audit.record(decisionOf(index))
    await audit.close()
    expect(await trailFiles(trail.path)).toHaveLength(3)
    const report = await verify()
    expect(report.findings).toEqual([])
    expect(report.notes[0]).toContain('older files are not here')
  })

  it('survive the end of the process between two files', async () => {
    const first = trail.open({ rotate_size: '2KiB', batch: 2 })
    for (let index = 0; index < 10; index += 1) first.record(decisionOf(index))
    await first.close()
    await rm(trail.path)
    const second = trail.open()
    second.record(decisionOf(10))
    await second.close()
    const kinds = (await verify()).findings.map(({ kind }) => kind)
    expect(kinds.every((kind) => kind === 'gap' || kind === 'removed')).toBe(true)
  })

  it('go on after a restart exactly where they ended', async () => {
    for (let run = 0; run < 3; run += 1) {
      const audit = trail.open()
      audit.record(decisionOf(run))
      await audit.close()
    }
    expect(await verify()).toMatchObject({ verdict: 'intact', notes: [], records: 3, first: 0 })
    await writeFile(`${trail.path}.note`, 'not a file of the trail')
    expect((await verify()).files).toEqual([trail.path])
    expect(await readFile(`${trail.path}.head`, 'utf8')).toContain('"seq"')
  })
})
