import { mkdtemp, rm, symlink, writeFile, mkdir, rename } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { KeyKeeper } from '../../../src/catalog/credential/keeper.ts'
import { readSource, runCommand, systemReaders } from '../../../src/catalog/credential/source.ts'
import type { SecretTransport } from '../../../src/catalog/credential/source.ts'
import { credentialSource } from '../../../src/catalog/entry/credential.ts'
import { cardsYaml, entryOf } from '../../support/catalog.ts'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'keys-'))
})
afterEach(() => rm(directory, { recursive: true }))

const unreachable: SecretTransport = () =>
  Promise.reject(new Error('connection refused to 10.0.0.1'))
const readers = (transport = unreachable, environment: Record<string, string> = {}) => ({
  ...systemReaders(transport),
  environment,
})
const read = async (source: object, given = readers()) => {
  const reading = await readSource(credentialSource.parse(source), directory, given)
  return reading.kind === 'key' ? reading.key.reveal() : reading
}

describe('reading a key', () => {
  it('takes a file without its final line end', async () => {
    await writeFile(join(directory, 'k'), 'sk_1\n')
    expect(await read({ file: 'k' })).toBe('sk_1')
    expect(await read({ file: join(directory, 'k') })).toBe('sk_1')
  })

  it('takes the environment and a member of a JSON object', async () => {
    expect(
      await read({ environment: 'K', field: 'key' }, readers(unreachable, { K: '{"key":"sk_2"}' })),
    ).toBe('sk_2')
  })

  it('takes the output of a command, run without a shell', async () => {
    expect(await read({ command: ['printf', '%s', 'a;b $HOME'] })).toBe('a;b $HOME')
  })

  it('ends a command that takes too long', async () => {
    expect(await read({ command: ['sleep', '30'], timeout: '50ms' })).toMatchObject({
      reason: 'unavailable',
      detail: expect.stringContaining('took longer than 50 ms') as string,
    })
  })

  it('gives a command no secrets of the sidecar', async () => {
    process.env['SALLYPORT_TEST_SECRET'] = 'leak'
    expect(await runCommand(['env'], 5_000)).not.toContain('leak')
    delete process.env['SALLYPORT_TEST_SECRET']
  })

  const vault = {
    vault: {
      address: 'https://vault.test:8200',
      path: 'secret/data/cards',
      field: 'key',
      token_file: 'token',
      namespace: 'team',
    },
  }
  const answering =
    (status: number, body: unknown): SecretTransport =>
    (request) => {
      expect(request).toMatchObject({
        url: 'https://vault.test:8200/v1/secret/data/cards',
        headers: { 'x-vault-token': 'vt', 'x-vault-namespace': 'team' },
      })
      return Promise.resolve({ status, body: JSON.stringify(body) })
    }

  it('reads both versions of the key-value engine of Vault', async () => {
    await writeFile(join(directory, 'token'), 'vt\n')
    expect(await read(vault, readers(answering(200, { data: { data: { key: 'sk_3' } } })))).toBe(
      'sk_3',
    )
    expect(await read(vault, readers(answering(200, { data: { key: 'sk_4' } })))).toBe('sk_4')
  })

  it.each([
    ['a secret that does not exist', 404, {}, 'absent'],
    ['a token without permission', 403, {}, 'absent'],
    ['a field that is not there', 200, { data: { data: { other: 'x' } } }, 'absent'],
    ['a sealed store', 503, {}, 'unavailable'],
    ['an answer that is no JSON object', 200, 'x', 'absent'],
  ])('says what is wrong with %s', async (_, status, body, reason) => {
    await writeFile(join(directory, 'token'), 'vt')
    expect(await read(vault, readers(answering(status, body)))).toMatchObject({
      kind: 'missing',
      reason,
    })
  })

  it.each([
    ['a file that is not there', { file: 'none' }, 'absent'],
    ['a variable that is not set', { environment: 'NONE' }, 'absent'],
    ['a program that is not there', { command: ['no-such-program-here'] }, 'unavailable'],
    [
      'a store that cannot be reached',
      { vault: { ...vault.vault, token_file: 'token' } },
      'unavailable',
    ],
  ])('says that the key is missing for %s', async (_, source, reason) => {
    await writeFile(join(directory, 'token'), 'vt')
    expect(await read(source)).toMatchObject({ kind: 'missing', reason })
  })
})

describe('keeping keys', () => {
  const never = () => () => undefined
  const entry = (from: string, more = '') =>
    entryOf(
      cardsYaml(
        `credential: { id: cards-live, from: ${from}${more} }\nauthentication: { kind: header }\n`,
      ),
    )
  const held = (keeper: KeyKeeper, of: ReturnType<typeof entry>) => {
    const now = keeper.current(of)
    return now.kind === 'ready' ? [now.key.reveal(), now.previous?.reveal()] : now.kind
  }

  it('rotates without a restart, and both keys overlap', async () => {
    const path = join(directory, 'k')
    await writeFile(path, 'one')
    const cards = entry(`{ file: ${path} }`)
    const keeper = new KeyKeeper(readers(), never)
    const events: string[] = []
    keeper.subscribe((event) => events.push(event.change))
    await keeper.keep([cards])
    expect(held(keeper, cards)).toEqual(['one', undefined])
    await writeFile(path, 'two')
    await keeper.refresh('cards')
    await keeper.refresh('cards')
    expect(held(keeper, cards)).toEqual(['two', 'one'])
    expect(events).toEqual(['loaded', 'rotated'])
  })

  it('follows the symlink swap of a Kubernetes secret', async () => {
    await mkdir(join(directory, 'v1'))
    await mkdir(join(directory, 'v2'))
    await writeFile(join(directory, 'v1', 'k'), 'one')
    await writeFile(join(directory, 'v2', 'k'), 'two')
    await symlink('v1', join(directory, '..data'))
    const cards = entry(`{ file: ${join(directory, '..data', 'k')} }`)
    const keeper = new KeyKeeper(readers(), never)
    await keeper.keep([cards])
    await symlink('v2', join(directory, '..tmp'))
    await rename(join(directory, '..tmp'), join(directory, '..data'))
    await keeper.refresh('cards')
    expect(held(keeper, cards)).toEqual(['two', 'one'])
  })

  it('reads on the schedule of the source, files at least every two seconds', async () => {
    const times: number[] = []
    const keeper = new KeyKeeper(readers(), (_, ms) => (times.push(ms), () => undefined))
    await keeper.keep([entry(`{ file: ${join(directory, 'k')}, refresh: 1h }`)])
    await keeper.keep([entry('{ environment: K, refresh: 1h }')])
    expect(times).toEqual([2_000, 3_600_000])
  })

  it('keeps the last key while the source cannot be asked, and drops it when the source has none', async () => {
    let status = 200
    const transport: SecretTransport = () =>
      Promise.resolve({ status, body: '{"data":{"key":"one"}}' })
    await writeFile(join(directory, 'token'), 'vt')
    const cards = entry(
      `{ vault: { address: 'https://vault.test', path: cards, field: key, token_file: ${join(directory, 'token')} } }`,
    )
    const keeper = new KeyKeeper(readers(transport), never)
    await keeper.keep([cards])
    status = 503
    await keeper.refresh('cards')
    expect(held(keeper, cards)).toEqual(['one', undefined])
    status = 404
    await keeper.refresh('cards')
    expect(keeper.current(cards)).toMatchObject({
      kind: 'missing',
      detail: expect.stringContaining('does not exist') as string,
      hint: expect.stringContaining('group:payments') as string,
    })
  })

  it('uses the declared previous key as the older of the two', async () => {
    const cards = entry('{ environment: NEW }', ', previous: { environment: OLD }')
    const keeper = new KeyKeeper(readers(unreachable, { NEW: 'n', OLD: 'o' }), never)
    await keeper.keep([cards])
    expect(held(keeper, cards)).toEqual(['n', 'o'])
    expect(keeper.all().map((one) => one.key.reveal())).toEqual(['n', 'o'])
  })

  it('asks nothing of an entry without a credential, and never gives an absent key', async () => {
    const keeper = new KeyKeeper(readers(), never)
    expect(keeper.current(entryOf(cardsYaml())).kind).toBe('none-needed')
    const cards = entry('{ environment: NONE }')
    expect(keeper.current(cards).kind).toBe('missing')
    await keeper.keep([cards])
    expect(keeper.current(cards)).toMatchObject({
      kind: 'missing',
      detail: expect.stringContaining('NONE is not set') as string,
    })
  })
})
