/** Reads PEM (RFC 7468) strictly: labels that match, canonical base64, nothing hidden inside. */
import { DerError } from './der.ts'

/** One block: its label and its bytes. */
export interface PemBlock {
  readonly label: string
  readonly der: Buffer
}

const blockPattern =
  /-----BEGIN ([A-Z0-9 ]{1,64})-----[ \t]*\r?\n([A-Za-z0-9+/=\r\n \t]*)-----END ([A-Z0-9 ]{1,64})-----/g

const bodyOf = (text: string): Buffer => {
  const body = text.replaceAll(/[\r\n \t]/g, '')
  const bytes = Buffer.from(body, 'base64')
  if (body === '' || bytes.toString('base64') !== body)
    throw new DerError('a pem block holds bad base64')
  return bytes
}

/**
 * The blocks with one of these labels, in order. Text between blocks is ignored, as RFC 7468 allows.
 *
 * @throws {DerError} when a block is cut short, its labels differ or its base64 is not canonical
 */
export const readPemBlocks = (text: string, labels: readonly string[]): readonly PemBlock[] => {
  const blocks = [...text.matchAll(blockPattern)]
  const begun = text.split('-----BEGIN ').length - 1
  if (begun !== blocks.length) throw new DerError('a pem block is cut short or malformed')
  return blocks
    .filter((block) => {
      if (block[1] !== block[3])
        throw new DerError(`a pem block begins as ${block[1]} and ends as ${block[3]}`)
      return labels.includes(block[1]!)
    })
    .map((block) => ({ label: block[1]!, der: bodyOf(block[2]!) }))
}

/** Writes one block, in lines of 64 characters. */
export const writePem = (label: string, der: Buffer): string =>
  `-----BEGIN ${label}-----\n${der.toString('base64').replaceAll(/.{1,64}/g, '$&\n')}-----END ${label}-----\n`
