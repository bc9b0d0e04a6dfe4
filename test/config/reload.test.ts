import { mkdirSync, renameSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { LoadedConfig } from '../../src/config/load.ts'
import { Reload, type ReloadEvent } from '../../src/config/reload.ts'
import { watchFiles, type Timers } from '../../src/config/watch.ts'
import { aConfig, aFolder, load, testTime, wholeConfig } from './fixture.ts'

const aReload = (file: string, apply: (next: LoadedConfig) => void = () => {}) => {
  const events: ReloadEvent[] = []
  let now = testTime
  const reload = new Reload({
    initial: load(file),
    load: () => load(file),
    apply,
    onEvent: (event) => events.push(event),
    now: () => (now += 1),
  })
  return { reload, events }
}

/** Timers that a test runs by hand. */
const heldTimers = () => {
  const waiting = new Map<() => void, number>()
  const timers: Timers = {
    after(ms, run) {
      waiting.set(run, ms)
      return () => waiting.delete(run)
    },
  }
  const fire = async (ms: number) => {
    // Copied, because a timer that runs may start the next.
    for (const [run, after] of Array.from(waiting)) {
      if (after !== ms) continue
      waiting.delete(run)
      run()
    }
    await new Promise((done) => setImmediate(done))
  }
  return { timers, fire }
}

describe('a reload', () => {
  it('puts a changed configuration into force', async () => {
    const file = aConfig()
    const applied: string[] = []
    const { reload, events } = aReload(file, (next) => applied.push(next.revision))
    const before = reload.current.revision
    writeFileSync(file, wholeConfig.replace('timeout: 5s', 'timeout: 6s'))
    await reload.reload()
    expect(applied).toEqual([reload.current.revision])
    expect(reload.current.revision).not.toBe(before)
    expect(reload.status.current).toMatchObject({
      state: 'current',
      applied: 1,
      kept: 0,
      faults: [],
    })
    expect(events.map(({ kind }) => kind)).toEqual(['applied'])
  })

  it('keeps the last good configuration and says why when the file is wrong', async () => {
    const file = aConfig()
    const { reload, events } = aReload(file, () => expect.unreachable('nothing is to be applied'))
    const before = reload.current
    writeFileSync(file, wholeConfig.replace('timeout: 5s', 'timeout: soon'))
    await reload.reload()
    expect(reload.current).toBe(before)
    expect(reload.status.current).toMatchObject({
      state: 'stale',
      revision: before.revision,
      kept: 1,
    })
    expect(reload.status.current.faults[0]).toMatchObject({
      file,
      setting: 'inbound.routes[0].timeout',
    })
    expect(events).toMatchObject([{ kind: 'kept', revision: before.revision }])
  })

  it('keeps the last good configuration when the new one cannot be put into force', async () => {
    const file = aConfig()
    const { reload } = aReload(file, () => {
      throw new Error('the port is taken')
    })
    const before = reload.current
    writeFileSync(file, wholeConfig.replace('timeout: 5s', 'timeout: 6s'))
    await reload.reload()
    expect(reload.current).toBe(before)
    expect(reload.status.current.faults[0]?.got).toBe('the port is taken')
  })

  it('is current again when the file is mended', async () => {
    const file = aConfig()
    const { reload, events } = aReload(file)
    writeFileSync(file, 'service: [')
    await reload.reload()
    writeFileSync(file, wholeConfig)
    await reload.reload()
    expect(reload.status.current).toMatchObject({ state: 'current', faults: [] })
    expect(events.map(({ kind }) => kind)).toEqual(['kept', 'applied'])
  })

  it('takes up a changed policy as a new revision', async () => {
    const file = aConfig()
    const { reload } = aReload(file)
    const before = reload.current.revision
    writeFileSync(join(dirname(file), 'policies/more.rego'), 'package sallyport.more\n\nx := 1\n')
    await reload.reload()
    expect(reload.current.revision).not.toBe(before)
  })

  it('names the settings that need a restart', async () => {
    const file = aConfig()
    const { reload } = aReload(file)
    writeFileSync(file, wholeConfig.replace('listen: 0.0.0.0:15006', 'listen: 0.0.0.0:16006'))
    await reload.reload()
    expect(reload.status.current.restartNeeded).toEqual(['inbound.listen'])
  })

  it('never runs two at a time', async () => {
    const file = aConfig()
    let running = 0
    const events: ReloadEvent[] = []
    let count = 0
    const reload = new Reload({
      initial: load(file),
      load: () => ({ ...load(file), revision: `${(count += 1)}` }),
      apply: async () => {
        running += 1
        expect(running).toBe(1)
        await new Promise((done) => setImmediate(done))
        running -= 1
      },
      onEvent: (event) => events.push(event),
      now: () => testTime,
    })
    await Promise.all([reload.reload(), reload.reload(), reload.reload()])
    expect(reload.status.current.applied).toBe(3)
  })
})

describe('a watch', () => {
  it('tells of a changed file once for all changes of a second', async () => {
    const folder = aFolder({ 'a.rego': '1' })
    const { timers, fire } = heldTimers()
    let changes = 0
    const watch = watchFiles({
      paths: () => [folder],
      timers,
      onChange: async () => void (changes += 1),
    })
    writeFileSync(join(folder, 'a.rego'), '22')
    await fire(2_000)
    writeFileSync(join(folder, 'b.rego'), '3')
    await fire(1_000)
    expect(changes).toBe(1)
    await fire(2_000)
    await fire(1_000)
    expect(changes).toBe(1)
    watch.stop()
  })

  it('sees the swap of a ..data link, as Kubernetes changes a mounted folder', async () => {
    const folder = aFolder({ '..v1/sallyport.yaml': 'a: 1' })
    symlinkSync('..v1', join(folder, '..data'))
    symlinkSync('..data/sallyport.yaml', join(folder, 'sallyport.yaml'))
    const { timers, fire } = heldTimers()
    let changes = 0
    const watch = watchFiles({
      paths: () => [join(folder, 'sallyport.yaml')],
      timers,
      onChange: async () => void (changes += 1),
    })
    mkdirSync(join(folder, '..v2'))
    writeFileSync(join(folder, '..v2/sallyport.yaml'), 'a: 2')
    symlinkSync('..v2', join(folder, '..data_tmp'))
    renameSync(join(folder, '..data_tmp'), join(folder, '..data'))
    await fire(2_000)
    await fire(1_000)
    expect(changes).toBe(1)
    watch.stop()
  })

  it('says nothing while nothing changes, and nothing after it is stopped', async () => {
    const folder = aFolder({ 'a.rego': '1' })
    const { timers, fire } = heldTimers()
    let changes = 0
    const watch = watchFiles({
      paths: () => [folder],
      timers,
      onChange: async () => void (changes += 1),
    })
    await fire(2_000)
    await fire(1_000)
    watch.stop()
    unlinkSync(join(folder, 'a.rego'))
    await fire(2_000)
    await fire(1_000)
    expect(changes).toBe(0)
  })
})
