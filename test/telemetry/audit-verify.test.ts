import { readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { writeLine } from '../../src/telemetry/audit/chain.ts'
import type { Line } from '../../src/telemetry/audit/chain.ts'
import { headPath } from '../../src/telemetry/audit/audit-file.ts'
import { verifyAudit } from '../../src/telemetry/audit/verify-audit.ts'
import type { TrustKey } from '../../src/telemetry/audit/verify-audit.ts'
import { aTrail, aWorkload, decisionOf } from './audit-trail.ts'
import type { TestTrail } from './audit-trail.ts'

let trail: TestTrail
beforeEach(async () => {
  trail = await aTrail()
})
afterEach(() => trail.remove())

const trust: TrustKey = ([leaf]) =>
  leaf?.equals(trail.workload.certificate) === true ? 'trusted' : { reason: 'unknown authority' }

const verify = () => verifyAudit(trail.path, { trust })
const found = async () => (await verify()).findings.map(({ kind, line }) => [kind, line])

/** One begin, then three batches of three records and a seal: 14 lines with the seal of the begin. */
const fill = async (): Promise<string[]> => {
  const audit = trail.open()
  for (let batch = 0; batch < 3; batch += 1) {
    for (let index = 0; index < 3; index += 1) audit.record(decisionOf(batch * 3 + index))
    await audit.flush()
  }
  await audit.close()
  return trail.lines()
}

/** Rewrites a line with changes and the hash that then fits. */
const forge = (text: string, change: (line: Line) => void): string => {
  const line = JSON.parse(text) as Line & { hash?: string }
  change(line)
  const { seq, prev, hash: _, ...content } = line
  return writeLine({ seq: seq - 1, hash: prev }, content).text
}

describe('an untouched trail', () => {
  it('is intact, and gives every record in order', async () => {
    const lines = await fill()
    const ids: string[] = []
    const report = await verifyAudit(trail.path, { trust, onRecord: ({ id }) => ids.push(id) })
    expect(report).toMatchObject({
      verdict: 'intact',
      findings: [],
      notes: [],
      records: 9,
      dropped: 0,
      first: 0,
    })
    expect(report.lines).toBe(lines.length)
    expect(report.seals).toBeGreaterThanOrEqual(3)
    expect(ids).toEqual(Array.from({ length: 9 }, (_, index) => decisionOf(index).id))
  })

  it('names the key once, and the shape of a record is whole', async () => {
    const lines = await fill()
    expect(lines.filter((line) => line.includes('"chain"'))).toHaveLength(1)
    const record = lines.map((line) => JSON.parse(line) as Line).find((line) => 'record' in line)
    expect(record).toMatchObject({ record: decisionOf(0) })
  })

  it('survives text that looks like the end of a line', async () => {
    const audit = trail.open()
    audit.record(decisionOf(0, { host: 'a\u2028b\u2029c\r\nd","hash":"x"}' }))
    await audit.close()
    expect((await verify()).verdict).toBe('intact')
    for (const line of await trail.lines()) expect(line).not.toMatch(/[\u2028\u2029\r]/)
  })
})

describe('tampering is found and placed', () => {
  it('an edit of any record', async () => {
    const lines = await fill()
    for (const [index, line] of lines.entries()) {
      if (!line.includes('"record"')) continue
      await trail.write(lines.with(index, line.replace('"deny"', '"allow"')))
      expect(await found()).toEqual([['edited', index + 1]])
    }
  })

  it('an edit with a fresh hash on that line', async () => {
    const lines = await fill()
    const index = lines.findIndex((line) => line.includes('"record"'))
    const forged = forge(lines[index]!, (line) =>
      Object.assign((line as { record: object }).record, { decision: 'allow' }),
    )
    await trail.write(lines.with(index, forged))
    expect(await found()).toEqual([['edited', index + 2]])
  })

  it('an edit with a fresh chain behind it: the seals do not fit', async () => {
    const lines = await fill()
    const start = lines.findIndex((line) => line.includes('"record"'))
    let head = { seq: start - 1, hash: (JSON.parse(lines[start - 1]!) as Line).hash }
    const rewritten = lines.slice(start).map((text, offset) => {
      const { seq: _, prev: __, hash: ___, ...content } = JSON.parse(text) as Line
      if (offset === 0)
        Object.assign((content as unknown as { record: object }).record, { decision: 'allow' })
      const next = writeLine(head, content)
      head = next.head
      return next.text
    })
    await trail.write([...lines.slice(0, start), ...rewritten])
    const seals = lines.flatMap((line, index) =>
      index > start && line.includes('"seal"') ? [['forged', index + 1]] : [],
    )
    expect(await found()).toEqual(seals)
  })

  it('the removal of any line but the last', async () => {
    const lines = await fill()
    for (let index = 1; index < lines.length - 1; index += 1) {
      await trail.write(lines.toSpliced(index, 1))
      expect((await found())[0]).toEqual(['removed', index + 1])
    }
  })

  it('the removal of several lines, with their numbers', async () => {
    const lines = await fill()
    await trail.write(lines.toSpliced(5, 3))
    const report = await verify()
    expect(report.findings).toHaveLength(1)
    expect(report.findings[0]).toMatchObject({
      kind: 'removed',
      line: 6,
      message: '3 lines are missing here, from number 5 to 7',
    })
  })

  it('the removal of the beginning', async () => {
    const lines = await fill()
    await trail.write(lines.slice(3))
    expect((await found())[0]).toEqual(['removed', 1])
  })

  it('two lines that changed places', async () => {
    const lines = await fill()
    const index = lines.findIndex((line) => line.includes('"record"'))
    await trail.write(lines.with(index, lines[index + 1]!).with(index + 1, lines[index]!))
    expect(await found()).toEqual([['reordered', index + 2]])
  })

  it('a line that was moved to the end', async () => {
    const lines = await fill()
    await trail.write([...lines.toSpliced(2, 1), lines[2]!])
    expect(await found()).toEqual([['reordered', lines.length]])
  })

  it('a line that was doubled', async () => {
    const lines = await fill()
    await trail.write(lines.toSpliced(5, 0, lines[4]!))
    expect((await found())[0]).toEqual(['reordered', 6])
  })

  it('a cut end, by the head file', async () => {
    const lines = await fill()
    await trail.write(lines.slice(0, -4))
    const report = await verify()
    expect(report.findings.map(({ kind, message }) => [kind, message.split(':')[0]])).toEqual([
      ['truncated', '4 lines are missing at the end'],
    ])
  })

  it('a cut end together with the head file, by an anchor that was kept elsewhere', async () => {
    const lines = await fill()
    const { head } = await verify()
    await trail.write(lines.slice(0, -4))
    await rm(headPath(trail.path))
    expect(await found()).toEqual([])
    const report = await verifyAudit(trail.path, { trust, expected: head })
    expect(report.findings.map(({ kind }) => kind)).toEqual(['truncated'])
  })

  it('a line that is no line', async () => {
    const lines = await fill()
    await trail.write(lines.with(5, 'hello'))
    expect(await found()).toEqual([['unreadable', 6]])
  })

  it('a trail of another key, even a consistent one', async () => {
    const other = aWorkload()
    const audit = trail.open({}, { sign: other.sign })
    audit.record(decisionOf(0))
    await audit.close()
    const report = await verify()
    expect(report.findings[0]).toMatchObject({ kind: 'untrusted-key' })
    expect(report.findings[0]!.message).toContain('unknown authority')
    expect((await verifyAudit(trail.path, { trust: 'any' })).verdict).toBe('intact')
  })

  it('batches that nobody signed', async () => {
    const audit = trail.open(
      {},
      {
        sign: () => {
          throw new Error('no identity yet')
        },
      },
    )
    audit.record(decisionOf(0))
    await audit.close()
    expect(new Set((await verify()).findings.map(({ kind }) => kind))).toEqual(
      new Set(['unsigned']),
    )
  })
})

describe('rotation of the key', () => {
  it('names the new key with its first seal', async () => {
    const next = aWorkload()
    let { sign } = trail.workload
    const audit = trail.open({}, { sign: (data) => sign(data) })
    audit.record(decisionOf(0))
    await audit.flush()
    sign = next.sign
    audit.record(decisionOf(1))
    await audit.close()
    const both: TrustKey = ([leaf]) =>
      [trail.workload, next].some(({ certificate }) => leaf?.equals(certificate))
        ? 'trusted'
        : { reason: 'unknown' }
    expect(await verifyAudit(trail.path, { trust: both })).toMatchObject({
      verdict: 'intact',
      records: 2,
    })
    expect((await verify()).findings.map(({ kind }) => kind)).toEqual(['untrusted-key'])
  })
})

describe('after a crash', () => {
  it('goes on behind the last whole line, and says what was cut', async () => {
    await fill()
    const text = await readFile(trail.path, 'utf8')
    await writeFile(trail.path, `${text}{"seq":99,"prev":"abc`)
    expect((await verify()).notes[0]).toContain('ends in half a line of 21 bytes')
    const audit = trail.open()
    audit.record(decisionOf(9))
    await audit.close()
    const report = await verify()
    expect(report).toMatchObject({ verdict: 'intact', records: 10 })
    expect(report.notes[0]).toContain('21 bytes of a half line were cut')
  })

  it('in the middle of any byte of the last batch loses no whole line', async () => {
    await fill()
    const whole = await readFile(trail.path)
    const head = await readFile(headPath(trail.path))
    const start = whole.lastIndexOf(10, whole.length - 2) + 1
    for (const size of [start - 1, start, start + 1, start + 40, whole.length - 1]) {
      await writeFile(trail.path, whole)
      await writeFile(headPath(trail.path), head)
      await rm(headPath(trail.path))
      await truncate(trail.path, size)
      const audit = trail.open()
      audit.record(decisionOf(9))
      await audit.close()
      const kept = whole.subarray(0, size).toString().split('\n').slice(0, -1)
      const records = kept.filter((line) => line.includes('"record"')).length + 1
      expect(await verify()).toMatchObject({ verdict: 'intact', records })
    }
  })

  it('tells of confirmed lines that were gone at the start', async () => {
    const lines = await fill()
    await trail.write(lines.slice(0, -4))
    const audit = trail.open()
    audit.record(decisionOf(9))
    await audit.close()
    const kinds = (await verify()).findings.map(({ kind }) => kind)
    expect(kinds).toContain('gap')
  })

  it('puts a file aside whose end is damaged, and loses nothing of it', async () => {
    await fill()
    const text = await readFile(trail.path, 'utf8')
    await writeFile(trail.path, `${text}garbage\n`)
    const audit = trail.open()
    audit.record(decisionOf(9))
    await audit.close()
    expect(await readFile(`${trail.path}.damaged-1700000000000`, 'utf8')).toBe(`${text}garbage\n`)
    expect((await verify()).records).toBe(1)
  })
})
