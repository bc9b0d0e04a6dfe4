/** Which configuration file a command means. */
import { fileVariable, type Environment } from '../config/environment.ts'
import type { Given, Option } from './command.ts'

/** The option of every command that reads the configuration. */
export const configOption: Option = {
  type: 'text',
  short: 'c',
  value: 'file',
  description: `the configuration (default: ${fileVariable}, then sallyport.yaml)`,
}

/** The file that the command line names, else the environment, else the one in this folder. */
export const configFile = (given: Given, environment: Environment): string =>
  given.text('config') ?? (environment[fileVariable] || 'sallyport.yaml')
