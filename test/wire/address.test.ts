/** The address guard: every way to write or to hide an address that must not be dialled, and its allowed neighbour. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  checkAddress,
  classifyAddress,
  readHost,
  resolveChecked,
  sameAddress,
  type AddressRules,
} from '../../src/wire/address.ts'

const none: AddressRules = { allowCidrs: [], denyCidrs: [], ownListeners: [] }

describe('classes', () => {
  it.each([
    ['8.8.8.8', 'public'],
    ['1.1.1.1', 'public'],
    ['2606:4700:4700::1111', 'public'],
    ['127.0.0.1', 'loopback'],
    ['127.255.255.254', 'loopback'],
    ['::1', 'loopback'],
    ['10.0.0.1', 'private'],
    ['172.16.0.1', 'private'],
    ['172.31.255.255', 'private'],
    ['172.32.0.1', 'public'],
    ['192.168.1.1', 'private'],
    ['fd00::1', 'private'],
    ['fc00::1', 'private'],
    ['fec0::1', 'private'],
    ['169.254.1.1', 'link-local'],
    ['fe80::1', 'link-local'],
    ['169.254.169.254', 'metadata'],
    ['169.254.170.2', 'metadata'],
    ['fd00:ec2::254', 'metadata'],
    ['100.100.100.200', 'metadata'],
    ['168.63.129.16', 'metadata'],
    ['100.64.0.1', 'carrier-grade-nat'],
    ['100.127.255.255', 'carrier-grade-nat'],
    ['100.128.0.1', 'public'],
    ['224.0.0.1', 'multicast'],
    ['ff02::1', 'multicast'],
    ['255.255.255.255', 'broadcast'],
    ['0.0.0.0', 'unspecified'],
    ['0.1.2.3', 'unspecified'],
    ['::', 'unspecified'],
    ['192.0.2.1', 'reserved'],
    ['198.51.100.1', 'reserved'],
    ['203.0.113.1', 'reserved'],
    ['198.18.0.1', 'reserved'],
    ['240.0.0.1', 'reserved'],
    ['192.0.0.1', 'reserved'],
    ['2001:db8::1', 'reserved'],
    ['3fff::1', 'reserved'],
    ['5f00::1', 'reserved'],
    ['100::1', 'reserved'],
    ['4000::1', 'reserved'],
    ['64:ff9b::808:808', 'embedded-ipv4'],
    ['64:ff9b:1::1', 'embedded-ipv4'],
    ['2002:7f00:1::', 'embedded-ipv4'],
    ['2001::1', 'embedded-ipv4'],
    ['::127.0.0.1', 'loopback'],
    ['::8.8.8.8', 'embedded-ipv4'],
    ['::ffff:8.8.8.8', 'embedded-ipv4'],
    ['::ffff:127.0.0.1', 'loopback'],
    ['::ffff:169.254.169.254', 'metadata'],
    ['::ffff:0:127.0.0.1', 'embedded-ipv4'],
    ['2606:4700::5efe:7f00:1', 'embedded-ipv4'],
  ])('%s is %s', (address, kind) => {
    expect(classifyAddress(address)).toBe(kind)
  })

  it('calls nothing public that is not allowed to be dialled, and nothing else allowed', () => {
    const octet = fc.integer({ min: 0, max: 255 })
    fc.assert(
      fc.property(fc.tuple(octet, octet, octet, octet), (octets) => {
        const verdict = checkAddress(octets.join('.'), 443, none)
        expect(verdict.allowed).toBe(verdict.class === 'public')
        const mapped = checkAddress(`::ffff:${octets.join('.')}`, 443, none)
        expect(mapped.allowed).toBe(false)
      }),
    )
  })
})

describe('hosts', () => {
  it.each([
    ['127.0.0.1', '127.0.0.1'],
    ['127.1', '127.0.0.1'],
    ['127.0.1', '127.0.0.1'],
    ['2130706433', '127.0.0.1'],
    ['0x7f000001', '127.0.0.1'],
    ['0x7f.1', '127.0.0.1'],
    ['0X7F.0.0.0x1', '127.0.0.1'],
    ['017700000001', '127.0.0.1'],
    ['0177.0.0.1', '127.0.0.1'],
    ['127.0.0.1.', '127.0.0.1'],
    ['0', '0.0.0.0'],
    ['[::1]', '::1'],
    ['[0:0:0:0:0:0:0:1]', '::1'],
    ['[::FFFF:7f00:1]', '::ffff:7f00:1'],
    ['::1', '::1'],
  ])('%s is the address %s', (text, address) => {
    expect(readHost(text)).toEqual({ kind: 'address', address })
  })

  it.each([
    ['Example.COM', 'example.com'],
    ['example.com.', 'example.com'],
    ['xn--mnchen-3ya.de', 'xn--mnchen-3ya.de'],
    ['1.example', '1.example'],
    ['my_service', 'my_service'],
  ])('%s is the name %s', (text, name) => {
    expect(readHost(text)).toEqual({ kind: 'name', name })
  })

  it.each([
    '',
    '.',
    'a..b',
    'a b',
    'a/b',
    'a\\b',
    'u@a',
    'a?b',
    'a#b',
    'a%2eb',
    'a:80',
    '[::1',
    '[::1%eth0]',
    '[a]',
    '256.256.256.256',
    '1.2.3.4.5',
    '0x',
    '127.0.0.0x1g.9999999999',
    'münchen.de',
    '１２７.0.0.1',
    'a。b',
    'a\0b',
    '-a.b',
    'a'.repeat(64),
    `${'a.'.repeat(127)}aa`,
  ])('refuses %j', (text) => {
    expect(() => readHost(text)).toThrowError(expect.objectContaining({ code: 'host' }))
  })
})

describe('rules', () => {
  it('allow a listed private range, and deny beats it', () => {
    const rules = { ...none, allowCidrs: ['10.1.0.0/16', 'fd00::/8'] }
    expect(checkAddress('10.1.2.3', 443, rules).allowed).toBe(true)
    expect(checkAddress('10.2.0.1', 443, rules).allowed).toBe(false)
    expect(checkAddress('fd12::1', 443, rules).allowed).toBe(true)
    expect(checkAddress('::ffff:10.1.2.3', 443, rules)).toMatchObject({
      allowed: true,
      address: '10.1.2.3',
    })
    const denied = { ...rules, denyCidrs: ['10.1.2.0/24', '8.8.8.0/24'] }
    expect(checkAddress('10.1.2.3', 443, denied).allowed).toBe(false)
    expect(checkAddress('8.8.8.8', 443, denied).allowed).toBe(false)
    expect(checkAddress('8.8.4.4', 443, denied).allowed).toBe(true)
  })

  it('never lead to our own listeners, whatever is allowed', () => {
    const rules = {
      allowCidrs: ['0.0.0.0/0', '::/0'],
      denyCidrs: [],
      ownListeners: [
        { address: '0.0.0.0', port: 15006 },
        { address: '127.0.0.1', port: 15000 },
        { address: '10.0.0.5', port: 15021 },
      ],
    }
    for (const [address, port] of [
      ['127.0.0.1', 15006],
      ['::1', 15006],
      ['127.0.0.1', 15000],
      ['::ffff:127.0.0.1', 15000],
      ['10.0.0.5', 15021],
    ] as const)
      expect(checkAddress(address, port, rules)).toMatchObject({
        allowed: false,
        class: 'own-listener',
      })
    expect(checkAddress('127.0.0.1', 8080, rules).allowed).toBe(true)
    expect(checkAddress('10.0.0.6', 15021, rules).allowed).toBe(true)
  })

  it('compare addresses by value', () => {
    expect(sameAddress('::1', '0:0:0:0:0:0:0:1')).toBe(true)
    expect(sameAddress('::ffff:10.0.0.1', '10.0.0.1')).toBe(true)
    expect(sameAddress('10.0.0.1', '10.0.0.2')).toBe(false)
    expect(sameAddress('a', '10.0.0.2')).toBe(false)
  })
})

const answering = (addresses: readonly string[]) => ({
  resolver: () => Promise.resolve(addresses),
  timeoutMs: 1_000,
})

describe('resolving', () => {
  it('keeps the allowed addresses of a mixed answer, once each', async () => {
    const found = await resolveChecked(
      'a.example',
      443,
      none,
      answering(['10.0.0.1', '8.8.8.8', '8.8.8.8', '::1']),
    )
    expect(found).toEqual(['8.8.8.8'])
  })

  it('refuses a name that leads only inward', async () => {
    await expect(
      resolveChecked('a.example', 443, none, answering(['10.0.0.1', '169.254.169.254'])),
    ).rejects.toMatchObject({ code: 'address-denied' })
  })

  it('judges a literal without asking anybody', async () => {
    const nobody = { resolver: () => Promise.reject(new Error('asked')), timeoutMs: 1 }
    await expect(resolveChecked('0x7f.1', 80, none, nobody)).rejects.toMatchObject({
      code: 'address-denied',
    })
    expect(await resolveChecked('8.8.8.8', 80, none, nobody)).toEqual(['8.8.8.8'])
  })

  it('tells a name without addresses, a failing resolver and a slow one apart', async () => {
    await expect(resolveChecked('a.example', 80, none, answering([]))).rejects.toMatchObject({
      code: 'dns-failed',
    })
    const failing = { resolver: () => Promise.reject(new Error('no')), timeoutMs: 1_000 }
    await expect(resolveChecked('a.example', 80, none, failing)).rejects.toMatchObject({
      code: 'dns-failed',
      retry: 'safe',
    })
    const slow = { resolver: () => new Promise<string[]>(() => undefined), timeoutMs: 20 }
    await expect(resolveChecked('a.example', 80, none, slow)).rejects.toMatchObject({
      code: 'dns-timeout',
    })
  })

  it('refuses an answer that is no address', async () => {
    await expect(
      resolveChecked('a.example', 80, none, answering(['not-an-address'])),
    ).rejects.toMatchObject({ code: 'host' })
  })
})
