/** What is wrong with a bundle. The message names the file of the bundle and is safe to log. */

/** The kinds of fault, for whoever translates them. */
export type BundleErrorCode =
  | 'archive'
  | 'too-large'
  | 'manifest'
  | 'data'
  | 'roots'
  | 'unsigned'
  | 'unexpected-signature'
  | 'signature'
  | 'files'

/** A bundle that cannot be used, as a whole. */
export class BundleError extends Error {
  readonly code: BundleErrorCode

  constructor(code: BundleErrorCode, message: string) {
    super(message)
    this.name = 'BundleError'
    this.code = code
  }
}
