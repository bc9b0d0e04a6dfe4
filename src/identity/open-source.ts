/** Opens the identity source that the configuration names. */
import type { Clock } from './clock.ts'
import type { IdentityEvent, IdentitySource } from './identity-source.ts'
import type { IdentitySection } from './section.ts'

export interface OpenIdentityOptions {
  readonly clock: Clock
  /** A number in [0, 1) for jitter. */
  readonly random: () => number
  /** Folder that relative paths of the section start from. */
  readonly baseDirectory: string
  onEvent(event: IdentityEvent): void
}

/** @throws IdentityFileError at start when a file is missing or wrong */
export declare const openIdentity: (
  section: IdentitySection,
  options: OpenIdentityOptions,
) => Promise<IdentitySource>
