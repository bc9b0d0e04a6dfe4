/** DER has one spelling of everything; each other spelling is refused. */
import { describe, expect, it } from 'vitest'
import {
  DerReader,
  bitString,
  boolean,
  integerBytes,
  objectId,
  time,
} from '../../src/identity/x509/der.ts'
import { readPemBlocks, writePem } from '../../src/identity/x509/pem.ts'

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')

describe('values', () => {
  it('reads short and long lengths', () => {
    expect(new DerReader(hex('04 02 0102')).next().content).toEqual(hex('0102'))
    const long = Buffer.concat([hex('04 81 80'), Buffer.alloc(128)])
    expect(new DerReader(long).next().content).toHaveLength(128)
  })

  it.each([
    ['an indefinite length', '30 80 0000'],
    ['a long form of a short length', '04 81 02 0102'],
    ['a padded length', '04 82 0080'],
    ['a length past the end', '04 05 01'],
    ['a missing length', '04'],
    ['a length of four bytes', '04 84 00000001 00'],
    ['a tag of several bytes', '1f 81 01 00'],
  ])('refuses %s', (_name, bytes) => {
    expect(() => new DerReader(hex(bytes)).next()).toThrow()
  })

  it('refuses what is left over', () => {
    const reader = new DerReader(hex('0500 00'))
    reader.next()
    expect(() => reader.finish()).toThrow('left over')
  })
})

describe('primitives', () => {
  it('knows one form of an integer', () => {
    expect(integerBytes(hex('00ff'))).toEqual(hex('00ff'))
    for (const bytes of ['', '0001', 'ff80']) expect(() => integerBytes(hex(bytes))).toThrow()
  })

  it('knows one form of a boolean', () => {
    expect([boolean(hex('00')), boolean(hex('ff'))]).toEqual([false, true])
    for (const bytes of ['', '01', 'ffff']) expect(() => boolean(hex(bytes))).toThrow()
  })

  it('knows one form of a bit string', () => {
    expect(bitString(hex('07 80')).bytes).toEqual(hex('80'))
    for (const bytes of ['', '08 00', '01', '07 81']) expect(() => bitString(hex(bytes))).toThrow()
  })

  it('reads object identifiers and refuses padded or cut ones', () => {
    expect(objectId(hex('2a864886f70d01010b'))).toBe('1.2.840.113549.1.1.11')
    expect(objectId(hex('551d0f'))).toBe('2.5.29.15')
    for (const bytes of ['', '2a80', '2a8001']) expect(() => objectId(hex(bytes))).toThrow()
  })

  it.each([
    ['230101000000Z', Date.UTC(2023, 0, 1)],
    ['500101000000Z', Date.UTC(1950, 0, 1)],
  ])('reads the short time %s', (text, ms) => {
    expect(time({ tag: 0x17, content: Buffer.from(text), whole: Buffer.alloc(0) })).toBe(ms)
  })

  it.each([
    '230101000000',
    '2301010000Z',
    '230101000000+0100',
    '230230000000Z',
    '231301000000Z',
    '230101240000Z',
  ])('refuses the time %s', (text) => {
    expect(() => time({ tag: 0x17, content: Buffer.from(text), whole: Buffer.alloc(0) })).toThrow()
  })
})

describe('pem', () => {
  it('reads what it writes, and skips the text between blocks', () => {
    const text = `subject: a\n${writePem('CERTIFICATE', hex('0500'))}\nmore\n${writePem('PRIVATE KEY', hex('0501'))}`
    expect(readPemBlocks(text, ['CERTIFICATE'])).toEqual([
      { label: 'CERTIFICATE', der: hex('0500') },
    ])
  })

  it.each([
    ['a block that is cut short', '-----BEGIN CERTIFICATE-----\nBQA=\n'],
    ['labels that differ', '-----BEGIN CERTIFICATE-----\nBQA=\n-----END PRIVATE KEY-----\n'],
    [
      'base64 that is not canonical',
      '-----BEGIN CERTIFICATE-----\nBQB=\n-----END CERTIFICATE-----\n',
    ],
    ['an empty block', '-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n'],
  ])('refuses %s', (_name, text) => {
    expect(() => readPemBlocks(text, ['CERTIFICATE'])).toThrow()
  })
})
