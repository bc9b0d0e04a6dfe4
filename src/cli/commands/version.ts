/** `sallyport version`. */
import { version } from '../../version.ts'
import { exitCodes, type Command } from '../command.ts'

/** The version of the program and of what it runs on. */
export const versionText = (): string =>
  `sallyport ${version} (node ${process.versions.node}, openssl ${process.versions.openssl ?? 'none'})`

/** The command. */
export const versionCommand: Command = {
  name: 'version',
  summary: 'print the version',
  run(_given, { terminal }) {
    terminal.print(versionText())
    return exitCodes.ok
  },
}
