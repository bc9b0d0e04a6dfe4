/**
 * The resource of every span: whose app this is, and which process wrote it.
 *
 * The name is that of the app beside us, so that its calls show under its own name; `telemetry.distro.name` says that
 * a sidecar wrote them. Reads no file and starts no process.
 */
import { arch, hostname } from 'node:os'
import { SDK_INFO } from '@opentelemetry/core'
import { resourceFromAttributes } from '@opentelemetry/resources'
import type { Resource } from '@opentelemetry/resources'
import { resourceAttribute, scope } from '../names.ts'
import type { TraceSettings } from './environment.ts'

/** Facts of the process that are not in the settings. */
export interface ProcessFacts {
  /** The name of the service in the configuration, when telemetry does not name it. */
  readonly serviceName: string | undefined
  readonly version: string
  /** Unique for each process. */
  readonly instance: string
  readonly spiffeId?: string | undefined
}

/** The name under which the traces show. */
export const serviceNameOf = (settings: TraceSettings, facts: ProcessFacts): string =>
  settings.serviceName ?? facts.serviceName ?? 'unknown_service:node'

/** Builds the resource; `OTEL_RESOURCE_ATTRIBUTES` may add to it, but not take the distribution's name. */
export const buildResource = (settings: TraceSettings, facts: ProcessFacts): Resource => {
  const { detectors } = settings
  const attributes: Record<string, string | number> = {
    [resourceAttribute.sdkLanguage]: 'nodejs',
    [resourceAttribute.sdkName]: 'opentelemetry',
    [resourceAttribute.sdkVersion]: SDK_INFO[resourceAttribute.sdkVersion],
  }
  if (detectors.has('service')) attributes[resourceAttribute.serviceInstance] = facts.instance
  if (detectors.has('host')) {
    attributes[resourceAttribute.hostName] = hostname()
    attributes[resourceAttribute.hostArch] = arch()
  }
  if (detectors.has('process')) {
    attributes[resourceAttribute.processId] = process.pid
    attributes[resourceAttribute.processRuntimeName] = 'nodejs'
    attributes[resourceAttribute.processRuntimeVersion] = process.versions.node
  }
  Object.assign(attributes, settings.resource)
  attributes[resourceAttribute.serviceName] = serviceNameOf(settings, facts)
  attributes[resourceAttribute.distroName] = scope
  attributes[resourceAttribute.distroVersion] = facts.version
  if (facts.spiffeId !== undefined) attributes[resourceAttribute.spiffeId] = facts.spiffeId
  return resourceFromAttributes(attributes)
}
