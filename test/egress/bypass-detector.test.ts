import { describe, expect, it } from 'vitest'
import { findBypasses, type ProcessFiles } from '../../src/egress/bypass/bypass-detector.ts'
import { readSocketTable } from '../../src/egress/bypass/socket-table.ts'

const head =
  '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n'
const row = (local: string, remote: string, state: string, inode: number): string =>
  `   0: ${local} ${remote} ${state} 00000000:00000000 00:00000000 00000000  1000        0 ${inode} 1 0000000000000000 20 4 30 10 -1\n`

/** 10.0.0.5 and 203.0.113.7 as the kernel writes them. */
const pod = '0500000A'
const outside = '077100CB'

const filesOf = (table: string, table6 = head): ProcessFiles => {
  const texts: Readonly<Record<string, string>> = {
    '/proc/self/net/tcp': head + table,
    '/proc/self/net/tcp6': table6,
    '/proc/17/comm': 'node\n',
  }
  const lists: Readonly<Record<string, readonly string[]>> = {
    '/proc': ['1', '17', 'self', 'net'],
    '/proc/self/fd': ['3'],
    '/proc/17/fd': ['0', '8'],
  }
  const links: Readonly<Record<string, string>> = {
    '/proc/self/fd/3': 'socket:[500]',
    '/proc/17/fd/0': '/dev/null',
    '/proc/17/fd/8': 'socket:[700]',
  }
  const given =
    <T>(values: Readonly<Record<string, T>>) =>
    (path: string): Promise<T> =>
      path in values ? Promise.resolve(values[path]!) : Promise.reject(new Error('ENOENT'))
  return { read: given(texts), list: given(lists), link: given(links) }
}

const nothingExempt = (): boolean => false

describe('the bypass detector', () => {
  it('names the process and the address of a connection that goes around', async () => {
    const files = filesOf(row(`${pod}:9C40`, `${outside}:01BB`, '01', 700))
    expect(await findBypasses(nothingExempt, files)).toEqual([
      { address: '203.0.113.7', port: 443, process: 'node (17)' },
    ])
  })

  it('reports a connection whose process it cannot see', async () => {
    const files = filesOf(row(`${pod}:9C40`, `${outside}:01BB`, '02', 999))
    expect((await findBypasses(nothingExempt, files))[0]!.process).toBe('unknown')
  })

  const passed: Readonly<Record<string, string>> = {
    'of the sidecar itself': row(`${pod}:9C40`, `${outside}:01BB`, '01', 500),
    'to the loopback interface': row('0100007F:9C40', '0100007F:3A99', '01', 700),
    'that came in':
      row(`00000000:1F90`, '00000000:0000', '0A', 700) +
      row(`${pod}:1F90`, `${outside}:9C40`, '01', 701),
    'that is closing': row(`${pod}:9C40`, `${outside}:01BB`, '06', 0),
  }
  for (const [what, table] of Object.entries(passed)) {
    it(`says nothing of a connection ${what}`, async () => {
      expect(await findBypasses(nothingExempt, filesOf(table))).toEqual([])
    })
  }

  it('says nothing of a range that is allowed', async () => {
    const files = filesOf(row(`${pod}:9C40`, `${outside}:01BB`, '01', 700))
    expect(await findBypasses((address) => address === '203.0.113.7', files)).toEqual([])
  })

  it('says nothing where there is no such table', async () => {
    const missing = (): Promise<never> => Promise.reject(new Error('ENOENT'))
    const files = { read: missing, list: missing, link: missing }
    expect(await findBypasses(nothingExempt, files)).toEqual([])
  })

  it('reads IPv6, and IPv4 inside of it', () => {
    const text =
      row(
        'B80D0120000000000000000001000000:9C40',
        'B80D0120000000000000000002000000:01BB',
        '01',
        1,
      ) +
      row('0000000000000000FFFF00000500000A:9C40', '0000000000000000FFFF0000077100CB:0050', '01', 2)
    const rows = readSocketTable(head + text)
    expect(rows.map(({ remote }) => remote)).toEqual([
      { address: '2001:db8::2', port: 443 },
      { address: '203.0.113.7', port: 80 },
    ])
  })
})
