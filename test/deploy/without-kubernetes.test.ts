import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { environmentFor } from '../../src/cli/commands/env.ts'
import { listenersSection } from '../../src/listeners/section.ts'
import { parseDuration } from '../../src/units.ts'

const deploy = join(import.meta.dirname, '../../deploy')

interface Service {
  readonly environment?: Readonly<Record<string, string>>
  readonly network_mode?: string
  readonly ports?: readonly string[]
  readonly read_only?: boolean
  readonly cap_drop?: readonly string[]
  readonly stop_grace_period?: string
}

const drain = listenersSection.parse({}).drain
const longest = drain.delay + drain.grace

describe('the compose file', () => {
  const { services } = parse(readFileSync(join(deploy, 'compose/compose.yaml'), 'utf8')) as {
    readonly services: Readonly<Record<'app' | 'sidecar', Service>>
  }

  it('gives the application the environment that sallyport env prints, on the network of its sidecar', () => {
    const wanted = environmentFor({
      listener: '127.0.0.1:15001',
      direct: 'localhost,127.0.0.1,::1',
      ca: undefined,
      bundle: undefined,
    })
    expect(services.app.environment).toEqual(
      Object.fromEntries(wanted.map(({ name, value }) => [name, value])),
    )
    expect(services.app.network_mode).toBe('service:sidecar')
    expect(services.app.ports).toBeUndefined()
  })

  it('publishes the mesh port alone, from a container that may write nothing and do little', () => {
    expect(services.sidecar).toMatchObject({ read_only: true, cap_drop: ['ALL'] })
    expect(services.sidecar.ports).toEqual(['15006:15006'])
    expect(parseDuration(services.sidecar.stop_grace_period!)).toBeGreaterThan(longest)
  })
})

describe('the systemd unit', () => {
  const unit = readFileSync(join(deploy, 'systemd/sallyport.service'), 'utf8')
  const settings = (name: string): readonly string[] =>
    [...unit.matchAll(new RegExp(`^${name}=(.*)$`, 'gm'))].map((match) => match[1]!)

  it('checks the configuration first, reloads by SIGHUP, and waits until the drain is over', () => {
    expect(settings('ExecStartPre')[0]).toMatch(/main\.js check$/)
    expect(settings('ExecStart')[0]).toMatch(/main\.js run$/)
    expect(settings('ExecReload')[0]).toContain('-HUP')
    expect(parseDuration(settings('TimeoutStopSec')[0]!)).toBeGreaterThan(longest)
    expect(settings('RestartPreventExitStatus')).toEqual(['64 78'])
  })

  it('runs as a user of its own, without capabilities, on a file system that it cannot write', () => {
    expect(settings('DynamicUser')).toEqual(['yes'])
    expect(settings('CapabilityBoundingSet')).toEqual([''])
    expect(settings('NoNewPrivileges')).toEqual(['yes'])
    expect(settings('ProtectSystem')).toEqual(['strict'])
  })
})
