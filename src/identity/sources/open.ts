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
  /** Stands in for the environment variable SPIFFE_ENDPOINT_SOCKET. */
  readonly endpointSocket?: string
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
  const { directory, development, workload_api: workloadApi } = section.source
  if (directory) return openDirectory(section, directory, options)
  if (development) return openDevelopment(section, development, options)
  if (workloadApi) {
    // gRPC is large and only this source needs it.
    const { openWorkloadApi } = await import('../workload-api/source.ts')
    const endpointSocket = options.endpointSocket ?? process.env['SPIFFE_ENDPOINT_SOCKET']
    return openWorkloadApi(section, workloadApi, {
      ...options,
      endpointSocket,
      onEvent: (event) => options.onEvent(event),
    })
  }
  throw new Error('no source of identity is configured')
}
