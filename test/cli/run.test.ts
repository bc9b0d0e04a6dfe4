/** The program as a process: it starts, says where it listens, reloads, drains and ends with the right code. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { aConfig } from '../config/fixture.ts'
import { initAuthority } from '../../src/identity/sources/authority-folder.ts'

const main = join(import.meta.dirname, '../../src/main.ts')

const config = `service: { name: orders }
identity: { source: { development: { spiffe_id: spiffe://shop.local/orders } } }
inbound:
  listen: 127.0.0.1:0
  app: { address: 127.0.0.1:9 }
  routes:
    - { name: read, path: "/orders/{id}", tokens: { user: off } }
listeners: { app: 127.0.0.1:0, health: 127.0.0.1:0, drain: { delay: 0s } }
admin: { listen: 127.0.0.1:0 }
telemetry: { traces: { exporter: none } }
`

interface Running {
  readonly process: ChildProcess
  /** Resolves with the first line of standard error or standard output that matches. */
  line(pattern: RegExp): Promise<RegExpExecArray>
  readonly ended: Promise<number | null>
}

const start = (file: string): Running => {
  const child = spawn(process.execPath, [main, 'run', '--config', file], {
    env: { ...process.env, NODE_OPTIONS: '' },
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  let text = ''
  const waiting = new Set<() => void>()
  const read = (part: Buffer): void => {
    text += part.toString()
    for (const look of waiting) look()
  }
  child.stdout.on('data', read)
  child.stderr.on('data', read)
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
  return {
    process: child,
    ended,
    line: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const found = pattern.exec(text)
          if (found) resolve(found)
        }
        waiting.add(look)
        look()
        void ended.then((code) => reject(new Error(`ended with ${code}:\n${text}`)))
      }),
  }
}

const aSidecar = (text = config): string => {
  const file = aConfig(text)
  rmSync(join(dirname(file), 'certs'), { recursive: true })
  initAuthority(join(dirname(file), 'certs'), { trustDomain: 'shop.local', now: Date.now() })
  return file
}

const ask = (words: readonly string[]) =>
  spawnSync(process.execPath, [main, ...words], { encoding: 'utf8' })

describe('sallyport run', () => {
  it('listens, answers for its health, and ends with 0 when it is told to', async () => {
    const running = start(aSidecar())
    const [, health = '', admin = ''] = await running.line(/health (\S+), admin (\S+)/)
    expect(ask(['health', '--address', health])).toMatchObject({ status: 0 })
    const status = ask(['status', '--address', admin])
    expect(status.stdout).toContain('spiffe://shop.local/orders')
    expect(ask(['why', 'no-such-decision', '--address', admin])).toMatchObject({ status: 1 })
    running.process.kill('SIGTERM')
    expect(await running.ended).toBe(0)
  })

  it('keeps the last good configuration and says so when a reload finds a fault', async () => {
    const file = aSidecar()
    const running = start(file)
    const [, health = ''] = await running.line(/health (\S+), admin/)
    writeFileSync(
      join(dirname(file), 'policies/inbound.rego'),
      'package sallyport.inbound\n\nallow if {\n',
    )
    await running.line(/inbound\.rego/)
    const answer = ask(['health', '--verbose', '--address', health])
    expect(answer.stdout).toContain('config')
    expect(answer.status).toBe(0)
    running.process.kill('SIGTERM')
    expect(await running.ended).toBe(0)
  })

  it('ends with 78 when the configuration is wrong, and opens no door', () => {
    const { status, stderr } = ask(['run', '--config', aConfig(`${config}nothing: 1\n`)])
    expect(stderr).toContain('nothing: expected a known section')
    expect(stderr).not.toContain('is ready')
    expect(status).toBe(78)
  })

  it('ends with 78 when the identity cannot be used', () => {
    const file = aConfig(config)
    rmSync(join(dirname(file), 'certs/authority.key'))
    const { status, stderr } = ask(['run', '--config', file])
    expect(stderr).toContain('identity.source.development')
    expect(status).toBe(78)
  })

  it('ends with 1 and the address when a port is taken', async () => {
    const running = start(aSidecar())
    const [, admin = ''] = await running.line(/admin (\S+)/)
    const second = aSidecar(
      config.replace('admin: { listen: 127.0.0.1:0 }', `admin: { listen: ${admin} }`),
    )
    const { status, stderr } = ask(['run', '--config', second])
    expect(stderr).toContain(admin)
    expect(status).toBe(1)
  })
})
