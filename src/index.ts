/** The public API, for embedding a sidecar in another process and for tests. The only barrel. */
export { loadConfig, type LoadedConfig, type LoadOptions } from './config/load.ts'
export { ConfigFaults, type ConfigFault } from './config/read/fault.ts'
export { startSidecar, type Sidecar, type StartOptions } from './sidecar.ts'
export { processWorld, type World } from './compose/world.ts'
export {
  compileBundle,
  type Bundle,
  type Decision,
  type Policy,
  type Query,
} from './rego/policy.ts'
export { version } from './version.ts'
