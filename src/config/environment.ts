/**
 * The few settings that a deployment may give as environment variables instead of a line in the file.
 *
 * These are facts that differ between two places where the same file is used. Everything else belongs in the file, so
 * that one file tells how a sidecar behaves; the `OTEL_*` variables are the telemetry section's own.
 */
import type { Path } from './read/fault.ts'

/** One variable and the setting that it replaces. */
export interface EnvironmentSetting {
  readonly name: string
  readonly setting: Path
  readonly description: string
}

/** The variable that names the configuration file. */
export const fileVariable = 'SALLYPORT_CONFIG'

/** Variables that replace a setting of the file. */
export const environmentSettings: readonly EnvironmentSetting[] = [
  {
    name: 'SALLYPORT_SERVICE_NAME',
    setting: ['service', 'name'],
    description: 'Name of the application, in place of `service.name`',
  },
  {
    name: 'SALLYPORT_SERVICE_NAMESPACE',
    setting: ['service', 'namespace'],
    description: 'Namespace of the application, in place of `service.namespace`',
  },
  {
    name: 'SALLYPORT_APP_ADDRESS',
    setting: ['inbound', 'app', 'address'],
    description: 'Address of the application, in place of `inbound.app.address`',
  },
]

/** Environment variables as the process has them. */
export type Environment = Readonly<Record<string, string | undefined>>

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const replaced = (value: unknown, path: Path, text: string): unknown => {
  const [first, ...rest] = path
  if (first === undefined) return text
  if (value !== undefined && value !== null && !isRecord(value)) return value
  return { ...value, [first]: replaced((value ?? {})[first], rest, text) }
}

/**
 * The value of the file with the variables that are set put in, and which settings came from them.
 *
 * A part of the file that is not a mapping where one belongs is left as it is, so that the schema can say so.
 */
export const withEnvironment = (
  value: unknown,
  environment: Environment,
): { readonly value: unknown; readonly used: readonly EnvironmentSetting[] } => {
  const used = environmentSettings.filter(({ name }) => (environment[name] ?? '') !== '')
  return {
    value: used.reduce(
      (whole, { name, setting }) => replaced(whole, setting, environment[name]!),
      value,
    ),
    used,
  }
}
