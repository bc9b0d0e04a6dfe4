/** Opens the identity source that the configuration names. */
import type { Clock } from './clock.ts'
import type { IdentityEvent, IdentitySource } from './identity-source.ts'
import type { IdentitySection } from '../section.ts'
import { openDevelopment } from './development.ts'
import { openDirectory } from './directory.ts'

export interface OpenIdentityOptions {
  readonly clock: Clock
  /** A number in [0, 1) for jitter. */
  readonly random: () => number
  /** Folder that relative paths of the section start from. */
  readonly baseDirectory: string
  onEvent(event: IdentityEvent): void
}

/**
 * Opens the source; its values are there when the promise resolves, and change from then on.
 *
 * @throws IdentityFileError when a file is missing or wrong
 */
export const openIdentity = async (
  section: IdentitySection,
  options: OpenIdentityOptions,
): Promise<IdentitySource> => {
  const { directory, development } = section.source
  if (directory) return openDirectory(section, directory, options)
  if (development) return openDevelopment(section, development, options)
  throw new Error('no source of identity is configured')
}
