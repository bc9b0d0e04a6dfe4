/** `docs/cli.md`: every command, from the table that also parses and helps. */
import type { Command } from '../command.ts'
import { commandHelp, overview } from '../help.ts'

/** The page. */
export const commandsPage = (commands: readonly Command[]): string =>
  [
    '# Commands',
    'This page is generated from the code by `npm run docs`; `sallyport help` prints the same.',
    `\`\`\`\n${overview(commands)}\n\`\`\``,
    ...commands.map((command) => `## ${command.name}\n\n\`\`\`\n${commandHelp(command)}\n\`\`\``),
  ].join('\n\n') + '\n'
