import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { UserTokens } from '../../../src/token/user/user-tokens.ts'
import { first, fresh, one, scene, second, verify } from '../../support/key-harness.ts'
import { json } from '../../support/key-server.ts'
import { issuer, jwks } from '../../support/tokens.ts'

describe('discovery', () => {
  const document = (fields: object = {}) =>
    JSON.stringify({ issuer, jwks_uri: scene.server.url('/keys'), ...fields })
  const discovered = () => one({ discovery: scene.server.url('/.well-known/openid-configuration') })

  it('finds the keys', async () => {
    scene.server.on(
      '/.well-known/openid-configuration',
      json(() => document()),
    )
    const { tokens, check } = discovered()
    await tokens.start()
    expect(await verify(check)).toBe('accepted')
  })

  it('looks below the issuer when it is told no address', async () => {
    const local = scene.server.url('/realm')
    scene.server.on(
      '/realm/.well-known/openid-configuration',
      json(() => document({ issuer: local })),
    )
    const { tokens, check } = one({ issuer: local, discovery: true })
    await tokens.start()
    expect(await verify(check, fresh(first, { iss: local }))).toBe('accepted')
  })

  it.each([
    ['speaks for another issuer', () => document({ issuer: `${issuer}/` }), 'another issuer'],
    ['names no keys', () => document({ jwks_uri: undefined }), 'no jwks_uri'],
    [
      'names keys over plain http elsewhere',
      () => document({ jwks_uri: 'http://login.shop.example/keys' }),
      'not https',
    ],
    ['names keys in a file', () => document({ jwks_uri: 'file:///etc/passwd' }), 'not https'],
    ['is not JSON', () => '<html>', 'not acceptable JSON'],
  ])('is refused when the document %s', async (_name, body, detail) => {
    scene.server.on('/.well-known/openid-configuration', json(body))
    const { tokens, check } = discovered()
    await tokens.start()
    expect(tokens.status()[0]?.failure).toContain(detail)
    expect(await verify(check)).toBe('keys-unavailable')
    expect(scene.server.count('/keys')).toBe(0)
  })
})

describe('keys in a file', () => {
  let folder: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sallyport-keys-'))
  })
  afterEach(() => rm(folder, { recursive: true }))

  const put = async (name: string, text: string): Promise<string> => {
    const path = join(folder, name)
    await writeFile(`${path}.new`, text)
    await rename(`${path}.new`, path)
    return path
  }
  const look = async (tokens: UserTokens) => {
    scene.clock.advance(2_000)
    await tokens.refresh()
  }

  it('change when the file does', async () => {
    const path = await put('keys.json', jwks(first))
    const { tokens, check } = one({ jwks_file: path })
    await tokens.start()
    expect(await verify(check)).toBe('accepted')
    await put('keys.json', jwks(second))
    await look(tokens)
    expect(await verify(check, fresh(second))).toBe('accepted')
    expect(await verify(check, fresh(first))).toBe('key-unknown')
  })

  it('change when the link to the file does, as Kubernetes mounts them', async () => {
    await put('a.json', jwks(first))
    await put('b.json', jwks(second))
    await symlink('a.json', join(folder, 'keys.json'))
    const { tokens, check } = one({ jwks_file: join(folder, 'keys.json') })
    await tokens.start()
    await symlink('b.json', join(folder, 'keys.new'))
    await rename(join(folder, 'keys.new'), join(folder, 'keys.json'))
    await look(tokens)
    expect(await verify(check, fresh(second))).toBe('accepted')
  })

  it('stay the last good ones when the file breaks or goes away', async () => {
    const path = await put('keys.json', jwks(first))
    const { tokens, check } = one({ jwks_file: path })
    await tokens.start()
    await put('keys.json', '{"keys":')
    await look(tokens)
    expect(tokens.status()[0]).toMatchObject({ state: 'stale' })
    expect(await verify(check)).toBe('accepted')
    await rm(path)
    await look(tokens)
    expect(tokens.status()[0]?.failure).toContain('ENOENT')
    expect(await verify(check)).toBe('accepted')
  })

  it('are not there when the file is not', async () => {
    const { tokens, check } = one({ jwks_file: join(folder, 'none.json') })
    await tokens.start()
    expect(await verify(check)).toBe('keys-unavailable')
  })
})
