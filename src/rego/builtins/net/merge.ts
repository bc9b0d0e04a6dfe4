/** The smallest list of CIDR blocks that covers the same addresses, for `net.cidr_merge`. */
import { as128, bitsOf, ipText, lastOf, type Cidr } from './address.ts'

interface Range {
  readonly first: bigint
  readonly last: bigint
  /** The block as it was given, while nothing was merged into it. */
  readonly text: string | undefined
}

/** The texts of the merged blocks, without order. */
export function mergeCidrs(cidrs: readonly Cidr[]): readonly string[] {
  const ranges = cidrs.map(toRange).sort(byFirst)
  const merged: Range[] = []
  for (const range of ranges) {
    const previous = merged.at(-1)
    if (previous === undefined || range.first > previous.last + 1n) merged.push(range)
    else {
      const last = range.last > previous.last ? range.last : previous.last
      merged[merged.length - 1] = { first: previous.first, last, text: undefined }
    }
  }
  return merged.flatMap((range) => (range.text === undefined ? blocksOf(range) : [range.text]))
}

function toRange(cidr: Cidr): Range {
  const first = as128(cidr.version, cidr.first)
  const last = as128(cidr.version, lastOf(cidr))
  return {
    first,
    last,
    text: `${ipText({ version: cidr.version, value: cidr.written })}/${cidr.prefix}`,
  }
}

function byFirst(a: Range, b: Range): number {
  return a.first < b.first ? -1 : a.first > b.first ? 1 : 0
}

/** Splits a range into aligned blocks, largest first from its start. */
function blocksOf({ first, last }: Range): string[] {
  const blocks: string[] = []
  let at = first
  while (at <= last) {
    let hostBits = 0n
    while (hostBits < 128n && fits(at, hostBits + 1n, last)) hostBits++
    blocks.push(blockText(at, 128 - Number(hostBits)))
    at += 1n << hostBits
  }
  return blocks
}

function fits(at: bigint, hostBits: bigint, last: bigint): boolean {
  const size = 1n << hostBits
  return at % size === 0n && at + size - 1n <= last
}

function blockText(first: bigint, prefix: number): string {
  const mapped = first >> 32n === 0xffffn && prefix >= 96
  const version = mapped ? 4 : 6
  return `${ipText({ version: 6, value: first })}/${prefix - (128 - bitsOf(version))}`
}
