/** Bundles for tests: archives written file by file, and signatures over them. */
import { constants, createHash, sign, type KeyObject } from 'node:crypto'
import { gzipSync } from 'node:zlib'

/** The files of an archive, in order; a list so that a name may come twice. */
export type Files = readonly (readonly [name: string, content: string | Buffer])[]

/** One file or folder of a tar archive. */
export const tarEntry = (name: string, content: Buffer, type = '0'): Buffer => {
  const header = Buffer.alloc(512)
  header.write(name, 0, 100)
  header.write('0000644\0', 100)
  header.write('0000000\0', 108)
  header.write('0000000\0', 116)
  header.write(`${content.length.toString(8).padStart(11, '0')}\0`, 124)
  header.write('00000000000\0', 136)
  header.write('        ', 148)
  header.write(type, 156)
  header.write('ustar\u000000', 257)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  const padding = Buffer.alloc((512 - (content.length % 512)) % 512)
  return Buffer.concat([header, content, padding])
}

/** A gzipped archive of entries. */
export const archiveOf = (entries: readonly Buffer[]): Buffer =>
  gzipSync(Buffer.concat([...entries, Buffer.alloc(1024)]))

/** A gzipped archive of files. */
export const bundleOf = (files: Files): Buffer =>
  archiveOf(files.map(([name, content]) => tarEntry(name, Buffer.from(content))))

/** The hash that a signature lists for a file; documents are given in canonical form by the test. */
export const listed = (name: string, hashed: string | Buffer, algorithm = 'SHA-256') => ({
  name,
  hash: createHash(algorithm.replace('-', '').toLowerCase()).update(hashed).digest('hex'),
  algorithm,
})

const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** A JWT over claims, by a key. */
export const signed = (
  claims: unknown,
  key: KeyObject,
  header: Readonly<Record<string, unknown>>,
): string => {
  const data = `${encoded(header)}.${encoded(claims)}`
  const algorithm = String(header['alg'])
  const hash = `sha${algorithm.slice(2)}`
  const options = algorithm.startsWith('ES')
    ? { key, dsaEncoding: 'ieee-p1363' as const }
    : algorithm.startsWith('PS')
      ? {
          key,
          padding: constants.RSA_PKCS1_PSS_PADDING,
          saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
        }
      : { key }
  return `${data}.${sign(hash, Buffer.from(data), options).toString('base64url')}`
}
