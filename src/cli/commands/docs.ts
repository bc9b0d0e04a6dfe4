/** `sallyport docs`: writes the generated references, or says which of them are out of date. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { entryJsonSchema } from '../../catalog/entry/schema-problems.ts'
import { CommandError, exitCodes, type Command } from '../command.ts'
import { commandsPage } from '../reference/commands.ts'
import { configPage, configSchema } from '../reference/config.ts'
import { errorsPage } from '../reference/errors.ts'

const json = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`

/** The generated files, by path in the repository. */
export const generatedFiles = (commands: readonly Command[]): Readonly<Record<string, string>> => ({
  'docs/config.md': configPage(),
  'docs/errors.md': errorsPage(),
  'docs/cli.md': commandsPage(commands),
  'schema/sallyport.schema.json': json(configSchema()),
  'schema/api.schema.json': json({
    title: 'A third-party API of a Sallyport catalog',
    ...entryJsonSchema(),
  }),
})

const contentOf = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

/** The command; it needs the table of commands that it is itself in. */
export const docs = (commands: () => readonly Command[]): Command => ({
  name: 'docs',
  summary: 'write the references and schemas that are generated from the code',
  options: {
    check: { type: 'switch', description: 'write nothing; fail when a file is out of date' },
    directory: { type: 'text', value: 'folder', description: 'where to write (default: here)' },
  },
  run(given, { directory, terminal }) {
    const root = join(directory, given.text('directory') ?? '.')
    const changed = Object.entries(generatedFiles(commands())).filter(
      ([path, content]) => contentOf(join(root, path)) !== content,
    )
    if (given.has('check') && changed.length > 0) {
      throw new CommandError(
        `out of date: ${changed.map(([path]) => path).join(', ')}`,
        'run npm run docs and commit the result',
      )
    }
    for (const [path, content] of changed) {
      mkdirSync(dirname(join(root, path)), { recursive: true })
      writeFileSync(join(root, path), content)
      terminal.print(path)
    }
    return exitCodes.ok
  },
})
