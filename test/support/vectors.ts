/** Finds the public conformance data, which is read from beside the checkout and is never part of it. */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'

/** The folder with `vectors/` and `opa-cases/`: `SALLYPORT_VECTORS`, else `../shared`; undefined when absent. */
export const vectorsRoot = (): string | undefined => {
  const root = resolve(
    process.env['SALLYPORT_VECTORS'] ?? resolve(import.meta.dirname, '../../../shared'),
  )
  return existsSync(root) ? root : undefined
}

/** The path of one data set below the root, or undefined after saying on standard error what is missing. */
export const vectors = (path: string): string | undefined => {
  const root = vectorsRoot()
  const found = root === undefined ? undefined : resolve(root, path)
  if (found !== undefined && existsSync(found)) return found
  process.stderr.write(
    `conformance data ${path} is absent: set SALLYPORT_VECTORS to the folder that holds it\n`,
  )
  return undefined
}
